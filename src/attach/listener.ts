import { type GatewayListener, gatewayGroup } from "../api/gateway-api.ts";
import { type ObjectKey, splitObjectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import { isValidHostname } from "./hostname.ts";
import { findSelectorFault } from "./label-selector.ts";
import { isServedProtocol, routeKindsOf, servedProtocols } from "./listener-protocol.ts";
import type { AllowedNamespaces, LabelSelector, ListenerPlan, RouteKindReference } from "./model.ts";

/** Where a listener stands. */
export interface ListenerOwner {
  readonly gateway: ObjectKey;
  /** Undefined: in the Gateway itself. */
  readonly listenerSet?: ObjectKey;
}

/** One listener judged by itself: protocol, hostname, kinds, TLS. Conflicts with others are judged by `gateway.ts`. */
export function planListener(owner: ListenerOwner, listener: GatewayListener, index: number): ListenerPlan {
  const problems: Problem[] = [];
  const report: Report = (condition, reason, field, text) => {
    problems.push(problemAt(condition, reason, `spec.listeners[${index}].${field}`, text));
  };
  const served = isServedProtocol(listener.protocol);
  if (!served) {
    report(
      "Accepted",
      "UnsupportedProtocol",
      "protocol",
      `is ${listener.protocol}, and only ${servedProtocols.join(", ")} are served; choose one of these`,
    );
  }
  const hostname = listener.hostname?.toLowerCase();
  if (hostname !== undefined && hostname !== "" && !isValidHostname(hostname)) {
    report(
      "Accepted",
      "UnsupportedValue",
      "hostname",
      `is ${listener.hostname}, which is no DNS name; write a name such as www.example.com or *.example.com`,
    );
  }
  const certificateRefs = judgeTls(owner, listener, report);
  const supportedKinds = served ? judgeKinds(listener, routeKindsOf(listener.protocol), report) : [];
  const allowedNamespaces = judgeNamespaces(listener, report);
  const valid = served && !problems.some((problem) => problem.condition === "Accepted") && supportedKinds.length > 0;
  const tlsMode = tlsModeOf(listener);
  const plan: ListenerPlan = {
    ...owner,
    name: listener.name,
    index,
    protocol: listener.protocol,
    port: listener.port,
    supportedKinds,
    allowedNamespaces,
    ...(tlsMode && { tlsMode }),
    certificateRefs,
    problems,
    valid,
  };
  return hostname === undefined || hostname === "" ? plan : { ...plan, hostname };
}

/** The object whose spec holds the listener, whose namespace is where its references begin and its routes are by default. */
export function ownerKey({ gateway, listenerSet }: ListenerOwner): ObjectKey {
  return listenerSet ?? gateway;
}

type Report = (condition: string, reason: string, field: string, text: string) => void;

function tlsModeOf({ protocol, tls }: GatewayListener): ListenerPlan["tlsMode"] {
  if (protocol === "HTTPS") return "Terminate";
  return protocol === "TLS" ? ((tls?.mode as ListenerPlan["tlsMode"]) ?? "Terminate") : undefined;
}

/** Of a listener that passes connections through the API has certificates ignored (Gateway API, TLSModePassthrough). */
function judgeTls(owner: ListenerOwner, listener: GatewayListener, report: Report): ListenerPlan["certificateRefs"] {
  const { tls } = listener;
  if (tlsModeOf(listener) === undefined) return [];
  if (listener.protocol === "HTTPS" && tls?.mode !== undefined && tls.mode !== "Terminate") {
    report(
      "Accepted",
      "UnsupportedValue",
      "tls.mode",
      `is ${tls.mode}, and an HTTPS listener can only Terminate; write that`,
    );
  }
  const options = Object.keys(tls?.options ?? {});
  if (options.length > 0) {
    report(
      "Accepted",
      "UnsupportedValue",
      "tls.options",
      `has ${options.join(", ")}, and no option is implemented; remove it`,
    );
  }
  if (tlsModeOf(listener) === "Passthrough") return [];
  const references = tls?.certificateRefs ?? [];
  const { namespace } = splitObjectKey(ownerKey(owner));
  if (references.length === 0) {
    report(
      "ResolvedRefs",
      "InvalidCertificateRef",
      "tls.certificateRefs",
      "is empty, so there is no certificate to serve; name a Secret of type kubernetes.io/tls",
    );
  }
  return references.map((reference) => ({
    group: reference.group ?? "",
    kind: reference.kind ?? "Secret",
    namespace: reference.namespace ?? namespace,
    name: reference.name,
  }));
}

function judgeKinds(listener: GatewayListener, served: readonly string[], report: Report): RouteKindReference[] {
  const wanted = listener.allowedRoutes?.kinds ?? [];
  if (wanted.length === 0) return served.map((kind) => ({ group: gatewayGroup, kind }));
  const isServed = ({ group, kind }: { group?: string; kind: string }) =>
    (group ?? gatewayGroup) === gatewayGroup && served.includes(kind);
  const refused = wanted.filter((kind) => !isServed(kind));
  if (refused.length > 0) {
    report(
      "ResolvedRefs",
      "InvalidRouteKinds",
      "allowedRoutes.kinds",
      `has ${refused.map(({ kind }) => kind).join(", ")}, which cannot attach to a listener of protocol ${listener.protocol}; remove it`,
    );
  }
  return wanted.filter(isServed).map(({ kind }) => ({ group: gatewayGroup, kind }));
}

function judgeNamespaces(listener: GatewayListener, report: Report): AllowedNamespaces {
  const namespaces = listener.allowedRoutes?.namespaces;
  const from = namespaces?.from ?? "Same";
  if (from === "All" || from === "Same" || from === "None") return { from };
  if (from === "Selector" && namespaces?.selector !== undefined) {
    const selector = namespaces.selector as LabelSelector;
    const fault = findSelectorFault(selector);
    if (fault === undefined) return { from: "Selector", selector };
    report("Accepted", "UnsupportedValue", "allowedRoutes.namespaces.selector", fault);
    return { from: "None" };
  }
  report(
    "Accepted",
    "UnsupportedValue",
    "allowedRoutes.namespaces",
    "is from Selector without a selector; write one, or All or Same",
  );
  return { from: "None" };
}
