import { gatewayGroup } from "./gateway-api.ts";
import { choice, list, object, type PrinterColumn, type Rule, required, text } from "./schema.ts";
import {
  ancestorReference,
  conditions,
  controllerName,
  dnsName,
  group,
  kind,
  labelSelectorFields,
  objectName,
} from "./shared-schemas.ts";

/** What all policies that attach to Gateways and routes have in common: their targets and their status. */

function targetReference(description: string) {
  return object(description, {
    group: required(group("API group of the target.")),
    kind: required(kind("Kind of the target.")),
    name: required(objectName("Name of the target, in the namespace of the policy.")),
    sectionName: dnsName("Listener of a Gateway or ListenerSet, or rule of a route; all of it when left out."),
  });
}

const targetSelector = object(
  "Targets by their labels.",
  {
    group: group("API group of the targets.", { default: gatewayGroup }),
    kind: required(kind("Kind of the targets.")),
    ...labelSelectorFields,
    namespaces: object(
      "Namespaces to look for targets in. Others than the policy's own need a ReferenceGrant each.",
      {
        from: required(
          choice(
            "Same: that of the policy. All: all. Selector: those whose labels match.",
            ["Same", "All", "Selector"],
            {
              default: "Same",
            },
          ),
        ),
        selector: object("Labels of the namespaces; for Selector.", labelSelectorFields, { atomic: true }),
      },
      {
        rules: [
          { rule: "self.from != 'Selector' || has(self.selector)", message: "from: Selector needs the field selector" },
        ],
      },
    ),
  },
  {
    rules: [{ rule: `!has(self.group) || self.group == '${gatewayGroup}'`, message: `group must be ${gatewayGroup}` }],
  },
);

export const targetFields = {
  targetRef: targetReference("The target. Not used any more: write targetRefs."),
  targetRefs: list("The targets.", targetReference("A target.")),
  targetSelectors: list("Targets by their labels, beside targetRefs.", targetSelector),
};

/** Of kinds whose policies of routes can be merged over those of listeners. */
export const mergeType = text(
  "StrategicMerge or JSONMerge: merge this policy of a route over that of its listener or Gateway. When left out it replaces that one.",
  {
    rules: [
      {
        rule: "self == 'StrategicMerge' || self == 'JSONMerge'",
        message: "must be StrategicMerge or JSONMerge; leave it out to replace",
      },
    ],
  },
);

/** CEL for a list of words. */
function words(values: readonly string[]): string {
  return `[${values.map((value) => `'${value}'`).join(", ")}]`;
}

/** CEL for: whatever names targets, all of them are of these kinds. */
export function allTargetsAre(kinds: readonly string[]): string {
  const known = words(kinds);
  return (
    `(!has(self.targetRef) || self.targetRef.kind in ${known})` +
    ` && (!has(self.targetRefs) || self.targetRefs.all(r, r.kind in ${known}))` +
    ` && (!has(self.targetSelectors) || self.targetSelectors.all(s, s.kind in ${known}))`
  );
}

/** Rules of every policy's targets; `kinds` are what it can be attached to. */
export function targetRules(kinds: readonly string[]): readonly Rule[] {
  const list = `${kinds.slice(0, -1).join(", ")} or ${kinds.at(-1)}`;
  return [
    {
      rule: "has(self.targetRef) || has(self.targetRefs) || (has(self.targetSelectors) && self.targetSelectors.size() > 0)",
      message: "set targetRefs or targetSelectors",
    },
    {
      rule: "!has(self.targetRef) || !has(self.targetRefs) || (has(self.targetSelectors) && self.targetSelectors.size() > 0)",
      message: "targetRef is the older name of targetRefs: write one of them",
    },
    {
      rule: `!has(self.targetRef) || self.targetRef.group == '${gatewayGroup}'`,
      message: `targetRef.group must be ${gatewayGroup}`,
    },
    {
      rule: `!has(self.targetRef) || self.targetRef.kind in ${words(kinds)}`,
      message: `targetRef.kind must be ${list}`,
    },
    {
      rule: `!has(self.targetRefs) || self.targetRefs.all(r, r.group == '${gatewayGroup}')`,
      message: `group of all targetRefs must be ${gatewayGroup}`,
    },
    {
      rule: `!has(self.targetRefs) || self.targetRefs.all(r, r.kind in ${words(kinds)})`,
      message: `kind of all targetRefs must be ${list}`,
    },
  ];
}

export const policyStatus = object("What became of the policy.", {
  ancestors: required(
    list(
      "The Gateways and ListenerSets at which the policy matters.",
      object("What became of it there.", {
        ancestorRef: required(ancestorReference("The Gateway or ListenerSet.")),
        controllerName: required(controllerName("The controller that says so.")),
        conditions: required(conditions("What is said.", { minItems: 1 })),
      }),
      { maxItems: 16 },
    ),
  ),
});

/** What `kubectl get` shows, of the first ancestor: one where the policy is not accepted, if there is any. */
export const policyColumns: readonly PrinterColumn[] = [
  { name: "Status", type: "string", jsonPath: conditionPath("Accepted", "reason") },
  { name: "Used by", type: "string", jsonPath: ".status.ancestors[*].ancestorRef.name" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  // Of the older name of the field as well.
  { name: "Target", type: "string", jsonPath: ".spec['targetRef.name','targetRefs..name']", priority: 1 },
  { name: "Overridden", type: "string", jsonPath: conditionPath("Overridden", "status"), priority: 1 },
  { name: "Warning", type: "string", jsonPath: conditionPath("Warning", "reason"), priority: 1 },
  { name: "Message", type: "string", jsonPath: conditionPath("Accepted", "message"), priority: 1 },
];

function conditionPath(type: string, field: string): string {
  return `.status.ancestors[*].conditions[?(@.type=="${type}")].${field}`;
}
