import type { Route } from "../api/gateway-api.ts";
import type { KubernetesObject } from "../api/object.ts";
import type { ClientPort } from "../attach/client-traffic-ports.ts";
import { listenerKey } from "../attach/model.ts";
import { parentKey } from "../attach/parents.ts";
import { policyId, splitTargetKey } from "../attach/policy-claims.ts";
import type {
  AttachedPolicyKind,
  PoliciesByKind,
  PolicyClaim,
  PolicyFinding,
  PolicyHead,
  PolicyPlace,
} from "../attach/policy-model.ts";
import { judgeStandings, type Standing, standAtListeners, standAtRoute } from "../attach/policy-standing.ts";
import { compareStrings, type ObjectKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import type { GatewayNodes } from "./gateways.ts";
import type { Http3Port } from "./http3.ts";
import type { ListenerNodes } from "./listeners.ts";
import type { PolicyNodes } from "./policies.ts";
import { attachmentWithPolicies, findMergeFaults } from "./route-policies.ts";
import type { RouteNodes } from "./routes.ts";
import type { Sources } from "./sources.ts";

/** Policies whose status is a list of ancestors (Gateway API, PolicyStatus). */
export type PolicyKind = "BackendTLSPolicy" | AttachedPolicyKind;

/** An object, mostly a Gateway, for which a policy counts, and what is wrong with the policy there. */
export interface PolicyAncestor {
  /** Of group gateway.networking.k8s.io. */
  readonly kind: string;
  readonly key: ObjectKey;
  readonly sectionName?: string;
  /** Of the class of the Gateway: who writes the entry. */
  readonly controllerName: string;
  readonly problems: readonly Problem[];
}

export interface PolicyReport {
  readonly kind: PolicyKind;
  readonly object: KubernetesObject;
  /** None: the policy is of no concern to any Gateway of ours, and entries of before go. */
  readonly ancestors: readonly PolicyAncestor[];
}

/** All that a status of a policy says at one place. */
interface PolicyAtPlace {
  readonly policy: string;
  readonly place: PolicyPlace;
  readonly controllerName: string;
  readonly problems: readonly Problem[];
}

/**
 * What policies of ours say in their statuses. Each target tells by itself what becomes of its policies, so that with a thousand
 * targets an edit of one costs that one, and a sum over those at the same place.
 */
export function createPolicyReports(
  graph: Graph,
  sources: Sources,
  policies: PolicyNodes,
  gateways: GatewayNodes,
  listeners: Pick<ListenerNodes, "clientPorts" | "http3" | "withoutPolicy">,
  routes: RouteNodes,
): Collection<PolicyReport> {
  const byPolicy = createPlaces(graph, policies, gateways, listeners, routes);
  return graph.flatMap<PolicyHead, PolicyReport>("policyReports", policies.heads, ({ kind, key }, id, read) => {
    const found = readPolicy(sources, policies, kind, key, read);
    if (found === undefined) return [];
    const { object, ...findings } = found;
    const places = [...read.lookup(byPolicy, id)].sort(([a], [b]) => compareStrings(a, b));
    return [
      [
        id,
        {
          kind,
          object,
          ancestors: places.map(([, { place, controllerName, problems }]): PolicyAncestor => {
            // A policy that has no place there does nothing wrong there either.
            const isInForce = problems.every(({ condition }) => condition !== "Accepted");
            return {
              kind: place.kind,
              key: place.key,
              ...(place.section !== undefined && { sectionName: place.section }),
              controllerName,
              problems: [...(isInForce ? problemsOf(findings) : []), ...problems],
            };
          }),
        },
      ],
    ];
  });
}

function createPlaces(
  graph: Graph,
  policies: PolicyNodes,
  gateways: GatewayNodes,
  { clientPorts, http3, withoutPolicy }: Pick<ListenerNodes, "clientPorts" | "http3" | "withoutPolicy">,
  routes: RouteNodes,
): Index<PolicyAtPlace> {
  const standings = graph.flatMap<PoliciesByKind, Standing>(
    "policyStandings",
    policies.ofTargets,
    (settled, target, read) => {
      const claims = [...read.lookup(policies.claimsByTarget, target).entries()].sort(([a], [b]) =>
        compareStrings(a, b),
      );
      const found = standAt(
        target,
        settled,
        claims.map(([, claim]) => claim),
        { policies, gateways, routes, withoutPolicy },
        read,
      );
      return found.map((each, index): [string, Standing] => [
        flatText(groupOf(each), "|", target, "|", String(index)),
        each,
      ]);
    },
  );
  const standAtPort = (what: string) => (port: Pick<ClientPort, "findings">, name: string, read: Reader) =>
    port.findings.flatMap(({ policy, place, gateway, problem }, index): [string, Standing][] => {
      const controllerName = read.get(gateways.parents, parentKey("Gateway", gateway))?.controllerName;
      if (controllerName === undefined) return [];
      const standing = { policy: policyId("ClientTrafficPolicy", policy), place, controllerName, fault: problem };
      return [[flatText(groupOf(standing), what, name, "|", String(index)), standing]];
    });
  const atPorts = graph.flatMap<ClientPort, Standing>("portStandings", clientPorts, standAtPort("|port "));
  const overHttp3 = graph.flatMap<Http3Port, Standing>("http3Standings", http3.ports, standAtPort("|http3 "));
  const all = graph.union("allStandings", standings, atPorts, overHttp3);
  const byPlace = graph.index("standingsByPlace", all, groupOf);
  const places = graph.reduce<Standing, PolicyAtPlace>("policyPlaces", byPlace, (_group, members) => {
    const first = members.values().next().value;
    if (first === undefined) return undefined;
    const { policy, place, controllerName } = first;
    const kind = policy.slice(0, policy.indexOf("/")) as AttachedPolicyKind;
    return { policy, place, controllerName, problems: judgeStandings(kind, members.values()) };
  });
  return graph.index("placesByPolicy", places, ({ policy }) => policy);
}

function groupOf({ policy, place: { kind, key, section = "" } }: Standing): string {
  return flatText(policy, "|", kind, "/", key, "|", section);
}

interface StandingNodes {
  readonly policies: PolicyNodes;
  readonly gateways: GatewayNodes;
  readonly routes: RouteNodes;
  readonly withoutPolicy: Collection<true>;
}

function standAt(
  target: string,
  settled: PoliciesByKind,
  claims: readonly PolicyClaim[],
  { policies, gateways, routes, withoutPolicy }: StandingNodes,
  read: Reader,
): Standing[] {
  const { kind } = splitTargetKey(target);
  if (kind === "Gateway" || kind === "ListenerSet") {
    const plan = read.get(gateways.parents, target);
    if (plan === undefined) return [];
    const { controllerName, listeners, gateway } = plan;
    // A ListenerSet takes the place of what its Gateway as a whole has.
    const above = kind === "ListenerSet" ? read.get(policies.ofTargets, parentKey("Gateway", gateway)) : undefined;
    return standAtListeners(target, claims, settled, {
      controllerName,
      listeners: listeners.map(({ name }) => name),
      ...(above && { gateway: { key: gateway, policies: above } }),
      ...(settled.ClientTrafficPolicy && {
        withoutPolicy: new Set(
          listeners.flatMap((listener) =>
            read.get(withoutPolicy, listenerKey(listener)) === undefined ? [] : listener.name,
          ),
        ),
      }),
    });
  }
  const attachment = read.get(routes.attachments, target);
  if (attachment === undefined) return [];
  const isNamed = claims.some(({ section }) => section !== undefined);
  const route: Route | undefined = isNamed ? read.get(routes.routes, target)?.route : undefined;
  const rules: readonly { readonly name?: string }[] = route?.spec.rules ?? [];
  return standAtRoute(
    claims,
    settled,
    attachmentWithPolicies(routes.policies.places, attachment, read),
    rules.flatMap(({ name }) => name ?? []),
    (kind, effect) => findMergeFaults(routes.policies, target, kind, effect, read),
  );
}

interface Findings {
  readonly refused: readonly PolicyFinding[];
  readonly warnings: readonly PolicyFinding[];
}

function readPolicy(
  sources: Sources,
  policies: PolicyNodes,
  kind: AttachedPolicyKind,
  key: ObjectKey,
  read: Reader,
): (Findings & { readonly object: KubernetesObject }) | undefined {
  const [object, plan] = readObject(sources, policies, kind, key, read);
  return object && plan && { object, refused: plan.refused, warnings: plan.warnings };
}

function readObject(
  sources: Sources,
  policies: PolicyNodes,
  kind: AttachedPolicyKind,
  key: ObjectKey,
  read: Reader,
): readonly [KubernetesObject | undefined, Findings | undefined] {
  switch (kind) {
    case "BackendTrafficPolicy":
      return [read.get(sources.backendTrafficPolicies, key), read.get(policies.backendTraffic, key)];
    case "ClientTrafficPolicy":
      return [read.get(sources.clientTrafficPolicies, key), read.get(policies.clientTraffic, key)];
    case "SecurityPolicy":
      return [read.get(sources.securityPolicies, key), read.get(policies.security, key)];
  }
}

function problemsOf({ refused, warnings }: Findings): readonly Problem[] {
  return [
    ...refused.map(({ field, text }) => problemAt("Accepted", "Invalid", field, text)),
    ...warnings.map(({ field, text, reason = "NoEffect" }) => problemAt("Warning", reason, field, text)),
  ];
}
