import { isDeepStrictEqual } from "node:util";
import type { Graph, Reader, Source, TransformOptions } from "./graph.ts";

/** What a family of nodes is built with: the engine or the model. */
export type Builder = Pick<Graph, "source" | "map" | "flatMap" | "index" | "reduce" | "union">;

type Values = Map<string, unknown>;
type Read = readonly [node: ModelNode, key: string | undefined];

/**
 * The engine without its cleverness: each commit computes every key of every node again. It remembers only what the contract
 * says is remembered: the last good output of a key that throws, and the old value where the new one is equal. From the reads
 * of the run before it derives which runs the engine must make, exactly.
 */
export class ModelGraph {
  readonly nodes = new Map<string, ModelNode>();

  source<V>(name: string, options?: TransformOptions<V>): Source<V> {
    return this.add(new ModelSource(name, options)) as unknown as Source<V>;
  }

  map: Graph["map"] = (name, input, fn, options) =>
    this.add(
      new ModelTransform(name, node(input), options, (value, key, read) => single(key, fn(value as never, key, read))),
    ) as never;

  flatMap: Graph["flatMap"] = (name, input, fn, options) =>
    this.add(
      new ModelTransform(name, node(input), options, (value, key, read) => unique(fn(value as never, key, read))),
    ) as never;

  /** Without the value of before: what a function takes over from it must not change the outcome. */
  reduce: Graph["reduce"] = (name, index, fn, options) =>
    this.add(
      new ModelTransform(name, node(index), options, (value, key, read) =>
        single(key, fn(key, value as never, read, undefined)),
      ),
    ) as never;

  index: Graph["index"] = (name, input, groups) =>
    this.add(new ModelIndex(name, node(input), groups as (value: unknown, key: string) => Iterable<string>)) as never;

  union: Graph["union"] = (name, ...inputs) =>
    this.add(
      new ModelUnion(
        name,
        inputs.map((input) => node(input)),
      ),
    ) as never;

  private add(added: ModelNode): ModelNode {
    this.nodes.set(added.name, added);
    return added;
  }

  /** Contents by source name. Sources that are not named keep theirs. */
  commit(contents: ReadonlyMap<string, Values>): void {
    for (const each of this.nodes.values()) {
      each.runs = 0;
      each.failures.clear();
      each.advance(contents);
    }
  }

  failures(): string[] {
    return [...this.nodes.values()].flatMap((each) => [...each.failures]).sort();
  }
}

/** What the model hands out as a collection or an index is its own node. */
function node(handle: { readonly name: string }): ModelNode {
  return handle as unknown as ModelNode;
}

function single(key: string, result: unknown): Values {
  return result === undefined ? new Map() : new Map([[key, result]]);
}

function unique(result: Iterable<readonly [string, unknown]>): Values {
  const entries = [...result];
  const values = new Map(entries);
  if (values.size < entries.length) throw new Error("a key twice");
  return values;
}

export abstract class ModelNode {
  readonly name: string;
  readonly equals: (a: never, b: never) => boolean;
  /** Of an index: Maps of members by group. */
  values: Values = new Map();
  changed = new Map<string, unknown>();
  runs = 0;
  readonly failures = new Set<string>();

  constructor(name: string, options?: { readonly equals?: (a: never, b: never) => boolean }) {
    this.name = name;
    this.equals = options?.equals ?? isDeepStrictEqual;
  }

  abstract advance(contents: ReadonlyMap<string, Values>): void;

  protected replace(next: Values, equals = (_key: string) => this.equals): void {
    this.changed = new Map();
    for (const key of new Set([...this.values.keys(), ...next.keys()])) {
      const before = this.values.get(key);
      const after = next.get(key);
      if (before !== undefined && after !== undefined && equals(key)(before as never, after as never)) {
        next.set(key, before);
      } else this.changed.set(key, after);
    }
    this.values = next;
  }
}

class ModelSource extends ModelNode {
  override advance(contents: ReadonlyMap<string, Values>): void {
    this.replace(new Map(contents.get(this.name) ?? this.values));
  }
}

class ModelTransform extends ModelNode {
  private readonly input: ModelNode;
  private readonly fn: (value: unknown, key: string, read: Reader) => Values;
  private good = new Map<string, Values>();
  private reads = new Map<string, readonly Read[]>();

  constructor(
    name: string,
    input: ModelNode,
    options: TransformOptions<never> | undefined,
    fn: (value: unknown, key: string, read: Reader) => Values,
  ) {
    super(name, options);
    this.input = input;
    this.fn = fn;
  }

  override advance(): void {
    const good = new Map<string, Values>();
    const reads = new Map<string, readonly Read[]>();
    for (const [key, value] of this.input.values) {
      const due = (this.reads.get(key) ?? []).some((read) => read[0].changed.size > 0 && hasChanged(read));
      if (due || this.input.changed.has(key)) this.runs += 1;
      const noted: Read[] = [];
      reads.set(key, noted);
      try {
        good.set(key, this.fn(value, key, recorder(noted)));
      } catch {
        this.failures.add(`${this.name}/${key}`);
        const before = this.good.get(key);
        if (before !== undefined) good.set(key, before);
      }
    }
    this.good = good;
    this.reads = reads;
    this.replace(this.merged());
  }

  /** The smallest input owns a key. */
  private merged(): Values {
    const next: Values = new Map();
    for (const input of [...this.good.keys()].sort()) {
      for (const [key, value] of this.good.get(input) as Values) {
        if (next.has(key)) this.failures.add(`${this.name}/${key} (several owners)`);
        else next.set(key, value);
      }
    }
    return next;
  }
}

function hasChanged([target, key]: Read): boolean {
  return key === undefined || target.changed.has(key);
}

function recorder(noted: Read[]): Reader {
  const note = (target: ModelNode, key: string | undefined): Values => {
    noted.push([target, key]);
    return target.values;
  };
  return {
    get: (collection, key) => note(node(collection), key).get(key) as never,
    all: (collection) => note(node(collection), undefined) as never,
    lookup: (index, group) => (note(node(index), group).get(group) ?? new Map()) as never,
  };
}

class ModelIndex extends ModelNode {
  private readonly input: ModelNode;
  private readonly groups: (value: unknown, key: string) => Iterable<string>;
  private good = new Map<string, readonly [value: unknown, groups: readonly string[]]>();

  constructor(name: string, input: ModelNode, groups: (value: unknown, key: string) => Iterable<string>) {
    super(name);
    this.input = input;
    this.groups = groups;
  }

  override advance(): void {
    const good = new Map<string, readonly [unknown, readonly string[]]>();
    const changed = new Set<string>();
    this.runs = [...this.input.changed.values()].filter((value) => value !== undefined).length;
    for (const [key, value] of this.input.values) {
      const before = this.good.get(key);
      try {
        good.set(key, [value, [...new Set(this.groups(value, key))]]);
      } catch {
        this.failures.add(`${this.name}/${key}`);
        if (before !== undefined) good.set(key, before);
        continue;
      }
      if (this.input.changed.has(key)) {
        for (const group of [...(before?.[1] ?? []), ...(good.get(key)?.[1] ?? [])]) changed.add(group);
      }
    }
    for (const [key, [, groups]] of this.good) {
      if (!good.has(key)) for (const group of groups) changed.add(group);
    }
    this.good = good;
    this.collect(changed);
  }

  private collect(changed: ReadonlySet<string>): void {
    this.values = new Map();
    for (const [key, [value, groups]] of this.good) {
      for (const group of groups) {
        const members = (this.values.get(group) ?? new Map()) as Values;
        this.values.set(group, members.set(key, value));
      }
    }
    this.changed = new Map([...changed].map((group) => [group, this.values.get(group)]));
  }
}

class ModelUnion extends ModelNode {
  private readonly inputs: readonly ModelNode[];

  constructor(name: string, inputs: readonly ModelNode[]) {
    super(name);
    this.inputs = inputs;
  }

  override advance(): void {
    const next: Values = new Map();
    for (const input of this.inputs) {
      for (const [key, value] of input.values) {
        if (next.has(key)) this.failures.add(`${this.name}/${key}`);
        else next.set(key, value);
      }
    }
    this.replace(next);
  }
}
