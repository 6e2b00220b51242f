import { type ASTNode, Environment, ParseError } from "@marcbachmann/cel-js";
import { findRegexFault } from "./regex.ts";

/**
 * Functions of Envoy 1.40's CEL by name, with the counts of arguments that each takes, the object before a dot included. The macros that
 * go through lists (`all`, `exists`, `map`, …) and `string()` are switched off there.
 */
const functions: ReadonlyMap<string, readonly number[]> = new Map([
  ...["bool", "bytes", "double", "duration", "dyn", "int", "size", "timestamp", "type", "uint"].map(ofCount(1)),
  ...["contains", "endsWith", "matches", "startsWith"].map(ofCount(2)),
  ...["getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours"].map(ofCount(1, 2)),
  ...["getMilliseconds", "getMinutes", "getMonth", "getSeconds"].map(ofCount(1, 2)),
  ...["re.capture", "re.captureN"].map(ofCount(2)),
  ["re.extract", [3]] as const,
]);

function ofCount(...counts: readonly number[]) {
  return (name: string) => [name, counts] as const;
}

/** As many as fit into the longest expression: sizes are Envoy's business. */
const UNLIMITED = 1_000_000;

const parser = new Environment({
  limits: { maxAstNodes: UNLIMITED, maxListElements: UNLIMITED, maxMapEntries: UNLIMITED, maxCallArguments: UNLIMITED },
});

/** What Envoy's parser knows and ours does not begins with one of these: `.5`, `.name`, `` a.`b-c` ``, `Message{…}`. */
const UNKNOWN_BEGINNINGS = ".`{";

/**
 * Why Envoy would refuse this CEL expression; completes a sentence that begins with the field. Undefined also where that cannot be told:
 * then Envoy has the last word. Names are not judged: Envoy takes any, and one that means nothing has no value. O(expression).
 */
export function findCelFault(expression: string): string | undefined {
  const parsed = parseCel(expression);
  return typeof parsed === "string" ? parsed : parsed && findNodeFault(parsed);
}

/** Levels of a syntax tree: Envoy reads no deeper messages, and each level takes two. */
const DEPTH_MAX = 40;
/** What other tools of CEL have, and Envoy not. */
const unknownOperators: ReadonlySet<string> = new Set([".?", "[?]"]);

/** The syntax tree of an expression that Envoy takes; otherwise why it does not, as {@link findCelFault} says it, but without a doubt. */
export function readCel(expression: string): { readonly tree: ASTNode } | { readonly fault: string } {
  const parsed = parseCel(expression);
  if (parsed === undefined) {
    return {
      fault: "begins a name, a number or a message with one of . ` {, which is not taken here; write it in full",
    };
  }
  if (typeof parsed === "string") return { fault: parsed };
  const fault = findNodeFault(parsed) ?? findTreeFault(parsed, DEPTH_MAX);
  return fault === undefined ? { tree: parsed } : { fault };
}

function findTreeFault({ op, args }: ASTNode, levels: number): string | undefined {
  if (levels === 0) return `is nested deeper than ${DEPTH_MAX} levels; make rules of its parts`;
  if (unknownOperators.has(op)) return `holds ${op}, which Envoy does not have; use has()`;
  const isText = args === null || ["string", "boolean"].includes(typeof args);
  const isNumber = typeof args === "bigint" ? Number.isSafeInteger(Number(args)) : Number.isFinite(args);
  if (op === "value" && !isText && !isNumber) return "holds a number or bytes that are not taken here; write a text";
  if (typeof args === "string" && !args.isWellFormed()) return "holds half a character; correct it";
  for (const child of childrenOf(args)) {
    const inside = findTreeFault(child, levels - 1);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** A text: why it is no expression. Undefined: that cannot be told. */
function parseCel(expression: string): ASTNode | string | undefined {
  try {
    return parser.parse(expression).ast;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const position = error.range?.start ?? -1;
    if (UNKNOWN_BEGINNINGS.includes(expression[position] ?? " ")) return undefined;
    return `is no expression of CEL (${error.summary}); correct it`;
  }
}

/** Calls are all that can go wrong in what can be parsed. */
function findNodeFault(node: ASTNode): string | undefined {
  const fault = node.op === "call" || node.op === "rcall" ? findCallFault(node) : undefined;
  if (fault !== undefined) return fault;
  for (const child of childrenOf(node.args)) {
    const inside = findNodeFault(child);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

function* childrenOf(args: unknown): Generator<ASTNode> {
  if (Array.isArray(args)) for (const item of args) yield* childrenOf(item);
  else if (typeof args === "object" && args !== null && "op" in args && "args" in args) yield args as ASTNode;
}

type Call = Extract<ASTNode, { op: "call" | "rcall" }>;

function findCallFault(call: Call): string | undefined {
  const { name, operands, written } = readCall(call);
  if (name === "has") {
    const [operand] = operands;
    return operands.length === 1 && operand?.op === "."
      ? undefined
      : "calls has() with something that is no field; name one with a dot, or use `'name' in request.headers`";
  }
  const counts = functions.get(name);
  if (counts === undefined) {
    return `calls ${name}(), which Envoy does not have; use ${[...functions.keys()].join(", ")} or has`;
  }
  if (!counts.includes(operands.length)) return `calls ${name}() with ${written.length} arguments; correct that`;
  const pattern = name === "matches" ? operands[1] : undefined;
  if (pattern?.op !== "value" || typeof pattern.args !== "string") return undefined;
  const fault = findRegexFault(pattern.args);
  return fault && pattern.args !== "" ? `calls matches() with "${pattern.args}", which ${fault}` : undefined;
}

interface ReadCall {
  readonly name: string;
  readonly operands: readonly ASTNode[];
  /** Those between the parentheses. */
  readonly written: readonly ASTNode[];
}

/** `a.f(b)` is `f(a, b)`, except that a namespace such as `re` is part of the name. */
function readCall(call: Call): ReadCall {
  if (call.op === "call") return { name: call.args[0], operands: call.args[1], written: call.args[1] };
  const [name, target, written] = call.args;
  const qualified = target.op === "id" ? `${target.args}.${name}` : name;
  if (qualified !== name && functions.has(qualified)) return { name: qualified, operands: written, written };
  return { name, operands: [target, ...written], written };
}
