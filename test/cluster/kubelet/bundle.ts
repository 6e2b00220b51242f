import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { ProcessIdentity } from "./security.ts";
import type { Mount } from "./volumes.ts";

/** A container as an OCI runtime needs it. */
export interface Bundle {
  readonly args: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  readonly workingDirectory: string;
  readonly identity: ProcessIdentity;
  readonly hostname: string;
  /** Network namespace to join; undefined for the node's own. */
  readonly netns: string | undefined;
  /** From the image; read-only. */
  readonly files: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
}

/**
 * System folders of this machine that every container sees, read-only: its programs and their libraries. `/usr/local` is
 * not among them, it belongs to the image.
 */
const SYSTEM_FOLDERS = ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share"];
/** Links to the folders above, or folders of their own on older systems. */
const SYSTEM_LINKS = ["/bin", "/sbin", "/lib", "/lib32", "/lib64"];
const SYSTEM_FILES = [
  "alternatives",
  "ca-certificates",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "pki",
  "ssl",
];
const ACCOUNTS = {
  passwd:
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\nnonroot:x:65532:65532:nonroot:/home/nonroot:/bin/sh\n",
  group: "root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n",
  "nsswitch.conf": "hosts: files dns\n",
};
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Writes `config.json` and an empty root file system into the folder. */
export function writeBundle(folder: string, bundle: Bundle): void {
  const root = join(folder, "rootfs");
  mkdirSync(join(root, "etc"), { recursive: true });
  mkdirSync(join(root, "tmp"));
  // Not by the mode of the call, from which the process's umask would be taken.
  chmodSync(join(root, "tmp"), 0o1777);
  mkdirSync(join(root, "root"), { mode: 0o700 });
  for (const [name, text] of Object.entries(ACCOUNTS)) writeFileSync(join(root, "etc", name), text);
  const system = systemMounts(root);
  for (const path of Object.keys(bundle.files)) refuseShared(path);
  const mounts = [
    ...specialMounts(),
    ...system.map((path) => bind(path, path, true)),
    ...Object.entries(bundle.files).map(([path, source]) => bind(realpathSync(source), path, true)),
    ...bundle.mounts.map((mount) => bind(mount.source, mount.destination, mount.readOnly)),
  ];
  const { identity } = bundle;
  const environment = new Map([["PATH", DEFAULT_PATH], ...bundle.environment]);
  const config = {
    ociVersion: "1.0.2",
    process: {
      user: { uid: identity.uid, gid: identity.gid, additionalGids: identity.additionalGids },
      args: bundle.args,
      env: [...environment].map(([name, value]) => `${name}=${value}`),
      cwd: bundle.workingDirectory,
      capabilities: {
        bounding: identity.capabilities,
        permitted: identity.capabilities,
        effective: identity.capabilities,
        inheritable: [],
        ambient: [],
      },
      noNewPrivileges: identity.noNewPrivileges,
    },
    root: { path: "rootfs", readonly: identity.readOnlyRoot },
    hostname: bundle.hostname,
    mounts,
    linux: {
      namespaces: [
        { type: "mount" },
        { type: "pid" },
        { type: "ipc" },
        { type: "uts" },
        ...(bundle.netns === undefined ? [] : [{ type: "network", path: bundle.netns }]),
      ],
    },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config, null, 2));
}

function specialMounts(): unknown[] {
  return [
    { destination: "/proc", type: "proc", source: "proc" },
    { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=65536k"] },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
    },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  ];
}

/** Paths to mount from this machine; those that are links here become links there. */
function systemMounts(root: string): string[] {
  const candidates = [...SYSTEM_FOLDERS, ...SYSTEM_LINKS, ...SYSTEM_FILES.map((name) => `/etc/${name}`)];
  return candidates.filter((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found?.isSymbolicLink()) return found !== undefined;
    symlinkSync(readlinkSync(path), join(root, path));
    return false;
  });
}

function bind(source: string, destination: string, readOnly: boolean): unknown {
  const options = [statSync(source).isDirectory() ? "rbind" : "bind", "rprivate", readOnly ? "ro" : "rw"];
  return { destination, type: "bind", source, options };
}

/** A mount point that is missing there would be made on this machine. */
function refuseShared(path: string): void {
  const shared = [...SYSTEM_FOLDERS, ...SYSTEM_LINKS].find(
    (folder) => path === folder || path.startsWith(`${folder}/`),
  );
  if (shared !== undefined) throw new Error(`an image cannot have ${path}: ${shared} is shared with this machine`);
}
