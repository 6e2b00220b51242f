/** Which names in the folder count. Paths inside it are relative and have forward slashes. */

const extensions: readonly string[] = [".yaml", ".yml", ".json"];

/** Hidden names are editors' and tools' own: swap files, `.git`, the hidden half of a mounted ConfigMap. */
export function isHidden(name: string): boolean {
  return name.startsWith(".");
}

/** Editors' temporary and backup copies end in other letters, so the extension tells them apart. */
export function isObjectFile(name: string): boolean {
  return !isHidden(name) && extensions.some((extension) => name.endsWith(extension));
}

export function joinPath(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}
