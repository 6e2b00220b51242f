import { formatFieldProblem } from "../api/field.ts";
import { parentKey } from "../attach/parents.ts";
import { splitObjectKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { ObjectProblem } from "../inputs/kubernetes/kubernetes-input.ts";
import { type Refusal, type RefusalContext, renderRefusal } from "../status/refusal-status.ts";
import type { ObjectStatus } from "../status/render.ts";
import type { ControlPlane } from "./control-plane.ts";

/** Objects that the API server took and our validators did not, and the statuses that say so. */
export interface RefusedObjects {
  /** Takes what became of an object; answers with the key of the status that reads differently now, if any. */
  report(key: string, problem: ObjectProblem | undefined): string | undefined;
  /** Keys of the statuses that depend on which Gateways and classes there are. */
  keys(): Iterable<string>;
  /** The status of an object, refused or not. */
  status(key: string): ObjectStatus | undefined;
}

export function createRefusedObjects(
  control: Pick<ControlPlane, "status" | "reports">,
  controllerNames: readonly string[],
): RefusedObjects {
  const refusals = new Map<string, Refusal>();
  const context: RefusalContext = {
    controllerNames,
    isOurClass: (name) => control.reports.has(`GatewayClass/${name}`),
    controllerOf(kind, key) {
      const report = control.reports.get(parentKey(kind, key));
      return report?.kind === "Gateway" || report?.kind === "ListenerSet" ? report.plan.controllerName : undefined;
    },
  };
  return {
    report(key, problem) {
      if (problem?.severity !== "error") return refusals.delete(key) ? key : undefined;
      const { kind, generation, spec, fields } = problem;
      const { namespace } = splitObjectKey(problem.key);
      const message = fields.map(formatFieldProblem).join("; ");
      refusals.set(flatText(key), { kind, namespace, generation, spec, message });
      return key;
    },
    keys: () => refusals.keys(),
    status(key) {
      const refusal = refusals.get(key);
      return refusal === undefined ? control.status(key) : renderRefusal(refusal, control.status(key), context);
    },
  };
}
