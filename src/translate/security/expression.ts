import { readCel } from "../../attach/cel-match.ts";
import type { Constant, Expr } from "../../envoy/generated/cel/expr/syntax.ts";

type Tree = Extract<ReturnType<typeof readCel>, { tree: object }>["tree"];

/** What CEL calls its operators in syntax trees; all others are `_<operator>_`. */
const functionsOfOperators: Readonly<Record<string, string>> = {
  "!_": "!_",
  "-_": "-_",
  "[]": "_[_]",
  "?:": "_?_:_",
  in: "@in",
};

/**
 * The syntax tree of an expression as Envoy takes it.
 *
 * @throws for an expression at fault, which must have been refused before
 */
export function buildExpression(text: string): Expr {
  const read = readCel(text);
  if ("fault" in read) throw new Error(`an expression that ${read.fault}`);
  let id = 0;
  const build = (node: Tree): Expr => {
    id += 1;
    return { id, ...describe(node, build) };
  };
  return build(read.tree);
}

function describe(node: Tree, build: (node: Tree) => Expr): Expr {
  switch (node.op) {
    case "value":
      return { constExpr: buildConstant(node.args) };
    case "id":
      return { identExpr: { name: node.args } };
    case ".":
      return { selectExpr: { operand: build(node.args[0]), field: node.args[1] } };
    case "call":
      return describeCall(node.args, build);
    case "rcall": {
      const [name, target, args] = node.args;
      const isQualified = target.op === "id" && target.args === "re";
      if (isQualified) return { callExpr: { function: `re.${name}`, args: args.map(build) } };
      return { callExpr: { target: build(target), function: name, args: args.map(build) } };
    }
    case "list":
      return { listExpr: { elements: node.args.map(build) } };
    case "map": {
      const entries = node.args.map(([key, value], index) => ({
        id: -1 - index,
        mapKey: build(key),
        value: build(value),
      }));
      return { structExpr: { entries } };
    }
    default: {
      const args: readonly Tree[] = Array.isArray(node.args) ? (node.args as Tree[]) : [node.args as Tree];
      return { callExpr: { function: functionsOfOperators[node.op] ?? `_${node.op}_`, args: args.map(build) } };
    }
  }
}

/** `has()` is a question about a field and no function. */
function describeCall([name, args]: readonly [string, readonly Tree[]], build: (node: Tree) => Expr): Expr {
  const [field] = args;
  if (name !== "has" || field?.op !== ".") return { callExpr: { function: name, args: args.map(build) } };
  return { selectExpr: { operand: build(field.args[0]), field: field.args[1], testOnly: true } };
}

function buildConstant(value: unknown): Constant {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "bigint") return { int64Value: Number(value) };
  return typeof value === "number" ? { doubleValue: value } : { nullValue: 0 };
}
