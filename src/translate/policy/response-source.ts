import { pack } from "../../envoy/any.ts";
import type { Expr } from "../../envoy/generated/cel/expr/syntax.ts";
import { CelMatcher } from "../../envoy/generated/xds/type/matcher/v3/cel.ts";
import { HttpAttributesCelMatchInput } from "../../envoy/generated/xds/type/matcher/v3/http_inputs.ts";
import type { Matcher_MatcherList_Predicate } from "../../envoy/generated/xds/type/matcher/v3/matcher.ts";

/** What Envoy notes of an answer that a backend gave; of its own answers it notes why it gave them. */
const BY_BACKEND = "via_upstream";

/** `response.code_details`, one of Envoy's attributes, in the syntax tree of CEL; Envoy wants every node to have a number. */
const codeDetails: Expr = {
  id: 2,
  selectExpr: { operand: { id: 1, identExpr: { name: "response" } }, field: "code_details" },
};

/** Answers of backends (`Backend`), or those of Envoy itself (`Local`). */
export function matchSource(source: "Backend" | "Local"): Matcher_MatcherList_Predicate {
  const expr: Expr = {
    id: 4,
    callExpr: {
      function: source === "Backend" ? "_==_" : "_!=_",
      args: [codeDetails, { id: 3, constExpr: { stringValue: BY_BACKEND } }],
    },
  };
  return {
    singlePredicate: {
      input: { name: "attributes", typedConfig: pack(HttpAttributesCelMatchInput, {}) },
      customMatch: {
        name: "envoy.matching.matchers.cel_matcher",
        typedConfig: pack(CelMatcher, { exprMatch: { celExprParsed: { expr } } }),
      },
    },
  };
}
