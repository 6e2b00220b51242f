import type { Builder } from "./model-graph.test-support.ts";

export interface Item {
  readonly n: number;
  readonly ref: string;
  readonly tags: readonly string[];
}

export interface Extra {
  readonly n: number;
}

export interface Settings {
  readonly scale: number;
  readonly tag: string;
}

export const sourceNames = ["items", "extras", "sparse", "settings"] as const;

/**
 * A fixed family of nodes with every operator and every way to depend on something: dynamic, negative, group and whole reads,
 * a diamond, a coarse equality, keys claimed twice, functions that throw for some values, lazy results.
 */
export function buildFamily(graph: Builder): void {
  const items = graph.source<Item>("items");
  const extras = graph.source<Extra>("extras");
  const sparse = graph.source<Extra>("sparse");
  const settings = graph.source<Settings>("settings");

  const linked = graph.map("linked", items, (item, _key, read) => {
    const extra = read.get(extras, item.ref);
    if (extra?.n === 5) throw new Error("linked breaks at 5");
    return item.n === 0 ? undefined : { n: item.n, extra: extra?.n ?? -1 };
  });
  const byTag = graph.index("byTag", items, (item) => {
    if (item.n === 4 && item.tags.length === 3) throw new Error("byTag breaks");
    return item.tags;
  });
  const tagSums = graph.reduce("tagSums", byTag, (_tag, members, read) => {
    let sum = 0;
    for (const item of members.values()) sum += item.n;
    if (sum === 7) throw new Error("tagSums breaks at 7");
    return { n: sum % 2 === 0 ? sum * (read.get(settings, "settings")?.scale ?? 1) : sum };
  });
  const parts = graph.flatMap("parts", items, function* (item, key, read) {
    for (let i = 0; i < item.n % 3; i += 1) {
      const value = { item: key, bonus: item.n % 2 === 1 ? read.get(linked, key)?.extra : undefined };
      yield [`${item.ref}:${i}`, value] as const;
    }
    if (item.n === 5 && read.get(linked, key)?.extra === 1) throw new Error("parts breaks half way");
  });
  const parity = graph.map("parity", linked, (value) => ({ n: value.n + value.extra }), {
    equals: (a, b) => a.n % 2 === b.n % 2,
  });
  graph.map("diamond", linked, (value, key, read) => {
    const odd = (read.get(parity, key)?.n ?? 0) % 2;
    return { text: `${value.n}/${odd}/${read.get(tagSums, "t0")?.n}/${read.get(linked, "i0")?.n}` };
  });
  const byItem = graph.index("byItem", parts, (part) => [part.item, part.bonus === undefined ? "plain" : "bonus"]);
  const merged = graph.union<Extra>("merged", extras, sparse, tagSums);
  graph.reduce("partCounts", byItem, (group, members, read) => {
    const tag = read.get(settings, "settings")?.tag ?? "none";
    const tagged = group === "bonus" ? -1 : read.lookup(byTag, tag).size;
    return { members: [...members.keys()].sort(), tagged, own: read.get(merged, group)?.n };
  });
  const total = graph.map("total", settings, (value, _key, read) => {
    let sum = 0;
    for (const each of read.all(merged).values()) sum += each.n;
    return { sum: sum * value.scale, tagged: [...read.lookup(byTag, value.tag).keys()].sort() };
  });
  const labels = graph.map("labels", merged, (value) => (value.n > 2 ? "many" : "few"));
  graph.map("labelled", labels, (label, key, read) => {
    const whole = label === "many" ? read.all(total).get("settings")?.sum : read.get(total, "settings")?.tagged.length;
    return `${key}=${label}:${whole}`;
  });
}
