import type { ObjectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import { defaultHostOf, listenersKeepingCase } from "./client-http1.ts";
import { contradictionOf, fingerprintsOf, type ListenerClients, type TlsContradiction } from "./client-tls.ts";
import { type ClientTrafficSettings, type PortTraffic, portPart } from "./client-traffic.ts";
import { findIdleFields } from "./client-traffic-effect.ts";
import { sortKeys } from "./connection-settings.ts";
import { hostOf } from "./hostname.ts";
import { findHttp3Wishes, type Http3Wish } from "./http3.ts";
import { carriesStreams, familyOf, transportOf } from "./listener-protocol.ts";
import { type ListenerPlan, listenerKey, type PortPlan } from "./model.ts";
import type { InheritedPolicy, PolicyPlace } from "./policy-model.ts";

/** A listener of a port with the ClientTrafficPolicy that it has, or inherits. */
export interface ClientListener extends ListenerClients {
  readonly listener: Pick<
    ListenerPlan,
    "gateway" | "listenerSet" | "name" | "protocol" | "tlsMode" | "hostname" | "frontendValidation"
  >;
}

/** The policy of a Gateway or ListenerSet as a whole, whether or not a listener inherits it. */
export type WholePolicyReader = (place: PolicyPlace) => Pick<ClientListener, "inherited" | "plan"> | undefined;

/** What the listeners of a port have in common with regard to clients. */
export interface ClientPort {
  /** Of the one filter chain of plain HTTP. */
  readonly clients?: ClientTrafficSettings;
  /** The one filter chain of plain HTTP answers with 500, whatever is asked for. */
  readonly refused?: true;
  /** Where it does not as a whole: hosts of listeners whose requests are answered with 500; `*` for any. */
  readonly shut?: readonly string[];
  /** Keys of listeners whose policy has no effect here, since they share a filter chain of plain HTTP with others. */
  readonly without?: readonly string[];
  /** What an Envoy Listener has once, whatever filter chains it has. */
  readonly connections?: PortTraffic;
  /** Keys of listeners whose routes keep upper and lower case of header names. */
  readonly keepsHeaderCase?: readonly string[];
  /** Listeners that are to be served over HTTP/3, too; on a port of plain HTTP one stands for all. */
  readonly http3?: readonly Http3Wish[];
  readonly findings: readonly ClientPortFinding[];
}

/** What a policy could not do on a port, for the status of the policy at a place. */
export interface ClientPortFinding {
  readonly policy: ObjectKey;
  readonly place: PolicyPlace;
  readonly gateway: ObjectKey;
  readonly problem: Problem;
}

/**
 * Listeners of plain HTTP on one port are one filter chain, so one policy counts for all of them or none does: what all of them
 * have, else what a ListenerSet or Gateway as a whole has that has the port for itself. Whoever's policy cannot do what it says
 * answers with 500 alone, and is in nobody's way. On other ports each listener has filter chains of its own, and what an Envoy Listener
 * has once is taken from the first listener with a policy. O(listeners).
 */
export function settleClientPort(
  port: Pick<PortPlan, "port" | "protocol">,
  all: readonly ClientListener[],
  wholeAt: WholePolicyReader = () => undefined,
): ClientPort {
  return familyOf(port.protocol) === "HTTP" ? settleHttpPort(port.port, all, wholeAt) : settleOtherPort(port, all);
}

function settleHttpPort(port: number, all: readonly ClientListener[], wholeAt: WholePolicyReader): ClientPort {
  const open = all.filter(({ plan }) => plan === undefined || plan.settings !== undefined);
  const { inherited: counting, plan } = choosePolicy(open, wholeAt) ?? {};
  const lost = open.filter(({ inherited }) => inherited !== undefined && inherited.policy !== counting?.policy);
  // Who shares no port does without the listener rather than without its policy. Of others a newcomer would shut it.
  const closes = counting === undefined && isOfOneOwner(open);
  const findings = new Map<string, ClientPortFinding>();
  for (const { listener, inherited } of lost) {
    const other = open.find((each) => each.inherited?.policy !== inherited?.policy) as ClientListener;
    const instead = closes
      ? "until then its requests are answered with 500"
      : counting === undefined
        ? "until then there is none in effect"
        : `until then ClientTrafficPolicy ${counting.policy} is in effect`;
    const text =
      `does not count on port ${port}: plain HTTP listeners of a port are one to clients, and ${nameOf(other.listener)} ` +
      `has another ClientTrafficPolicy or none; attach one policy to all listeners of the port, or use a port of its own; ${instead}`;
    note(findings, inherited as InheritedPolicy, listener.gateway, {
      condition: "Accepted",
      reason: "Invalid",
      message: `Policy ${text}`,
    });
  }
  const settings = counting && plan?.settings;
  const connections = settings && portPart(settings);
  const keepsHeaderCase = listenersKeepingCase(all.map(({ listener }) => ({ listener, settings })));
  const [first] = open;
  if (first && counting && settings) {
    noteIdle(findings, first.listener, counting, settings);
    if (defaultHostOf(all.map(({ listener }) => listener)) === undefined) {
      noteHostless(findings, first.listener, counting, settings);
    }
  }
  const shut = all.filter((each) => !open.includes(each) || (closes && lost.includes(each)));
  return {
    ...(settings && { clients: settings }),
    ...shutting(shut, all),
    ...(lost.length > 0 && { without: lost.map(({ listener }) => listenerKey(listener)) }),
    ...(connections && { connections }),
    ...(keepsHeaderCase.length > 0 && { keepsHeaderCase }),
    ...(first && settings?.http3 && { http3: findHttp3Wishes([{ ...first, inherited: counting, plan }]) }),
    findings: [...findings.values()],
  };
}

/** The policy that counts for a filter chain of plain HTTP. @param open listeners whose policies can do what they say */
function choosePolicy(
  open: readonly ClientListener[],
  wholeAt: WholePolicyReader,
): Pick<ClientListener, "inherited" | "plan"> | undefined {
  const [first] = open;
  if (first === undefined) return undefined;
  if (open.every(({ inherited }) => inherited?.policy === first.inherited?.policy)) return first;
  const { gateway, listenerSet } = first.listener;
  const places: PolicyPlace[] = [
    ...(isOfOneOwner(open) && listenerSet !== undefined ? [{ kind: "ListenerSet" as const, key: listenerSet }] : []),
    ...(isOfOneGateway(open) ? [{ kind: "Gateway" as const, key: gateway }] : []),
  ];
  return places.map(wholeAt).find((whole) => whole?.plan?.settings !== undefined);
}

/** All of a port is shut at once with the policy that goes; a part of it with the routes. */
function shutting(shut: readonly ClientListener[], all: readonly ClientListener[]): Partial<ClientPort> {
  if (shut.length === 0) return {};
  return shut.length === all.length ? { refused: true } : { shut: shut.map(({ listener }) => hostOf(listener)).sort() };
}

function settleOtherPort(
  { port, protocol }: Pick<PortPlan, "port" | "protocol">,
  all: readonly ClientListener[],
): ClientPort {
  const chosen = all.find(({ plan }) => plan?.settings !== undefined);
  const ofChosen = chosen?.plan?.settings && portPart(chosen.plan.settings);
  const counting = textOf(ofChosen);
  const findings = new Map<string, ClientPortFinding>();
  for (const { listener, inherited, plan } of all) {
    const contradiction = contradictionOf(listener, { inherited, plan });
    if (inherited && contradiction && listener.tlsMode === "Terminate") {
      noteContradiction(findings, listener, inherited, contradiction);
    } else if (inherited && plan?.settings) {
      noteIdle(findings, listener, inherited, plan.settings);
      if (defaultHostOf([listener]) === undefined) noteHostless(findings, listener, inherited, plan.settings);
    }
    const own = plan?.settings && portPart(plan.settings);
    if (chosen === undefined || inherited === undefined || own === undefined || textOf(own) === counting) continue;
    const text =
      `is for all connections of port ${port}, and taken from ClientTrafficPolicy ${chosen.inherited?.policy} of ` +
      `${nameOf(chosen.listener)}; say the same in both, or use a port of its own`;
    const field = `spec.${Object.keys(own)[0]}`;
    note(findings, inherited, listener.gateway, problemAt("Warning", "NoEffect", field, text));
  }
  const requests = all.filter(({ listener }) => !carriesStreams(listener.protocol));
  const keepsHeaderCase = listenersKeepingCase(
    requests.map(({ listener, plan }) => ({ listener, settings: plan?.settings })),
  );
  // Nobody is harmed by one that another asks for.
  const fingerprints = familyOf(protocol) === "TLS" ? fingerprintsOf(all.map(({ plan }) => plan?.settings)) : [];
  const connections = fingerprints.length > 0 ? { ...ofChosen, fingerprints } : ofChosen;
  return {
    ...(connections && { connections }),
    ...(keepsHeaderCase.length > 0 && { keepsHeaderCase }),
    ...(all.some(({ plan }) => plan?.settings?.http3) && { http3: findHttp3Wishes(all) }),
    findings: [...findings.values()],
  };
}

function noteContradiction(
  findings: Map<string, ClientPortFinding>,
  listener: ClientListener["listener"],
  inherited: InheritedPolicy,
  contradiction: TlsContradiction,
): void {
  const [field, text] =
    contradiction === "said by the Gateway"
      ? [
          "",
          `is said by Gateway ${listener.gateway} for ${nameOf(listener)} (spec.tls.frontend), and the policy of a ListenerSet cannot say otherwise; remove it`,
        ]
      : [
          ".mode",
          `is RequireAny, which cannot be without caCertificateRefs on ${nameOf(listener)}, whose protocol is TLS; name authorities, or write RequireAndVerify`,
        ];
  const problem = problemAt("Accepted", "Invalid", `spec.tls.clientValidation${field}`, text);
  note(findings, inherited, listener.gateway, problem);
}

/** A policy of a Gateway means its fields for whatever they fit; one that names a listener means them for this. */
function noteIdle(
  findings: Map<string, ClientPortFinding>,
  listener: ClientListener["listener"],
  inherited: InheritedPolicy,
  settings: ClientTrafficSettings,
): void {
  if (inherited.from.section === undefined) return;
  const ofRequests = carriesStreams(listener.protocol)
    ? fieldsOfRequests(settings, transportOf(listener.protocol) === "UDP")
    : [];
  const all = [
    ...ofRequests.map((field) => ({ field, for: "HTTP and HTTPS" })),
    ...findIdleFields(listener, settings).filter(({ field }) => !ofRequests.includes(field.split(".", 1)[0] ?? "")),
  ];
  const [first, ...more] = all;
  if (first === undefined) return;
  const others = more.length === 0 ? "" : ` (nor do ${more.map(({ field }) => field).join(", ")})`;
  const text = `has no effect on ${nameOf(listener)}, whose protocol is ${listener.protocol}${others}; remove it, or attach the policy to listeners of ${first.for}`;
  note(findings, inherited, listener.gateway, problemAt("Warning", "NoEffect", `spec.${first.field}`, text));
}

/** What is said beside {@link portPart} and {@link findIdleFields}, and means nothing for streams. */
function fieldsOfRequests(settings: ClientTrafficSettings, ofDatagrams: boolean): readonly string[] {
  const {
    tcpKeepalive: _,
    proxyProtocol: __,
    enableProxyProtocol: ___,
    connection,
    timeout,
    tls: ____,
    ...requests
  } = settings;
  if (ofDatagrams) return Object.keys(settings);
  return [
    ...Object.keys(requests),
    ...(connection?.connectionLimit === undefined ? [] : ["connection.connectionLimit"]),
    ...(timeout?.http === undefined ? [] : ["timeout.http"]),
  ];
}

/** @param listener without a hostname that could be a request's */
function noteHostless(
  findings: Map<string, ClientPortFinding>,
  listener: ClientListener["listener"],
  inherited: InheritedPolicy,
  settings: ClientTrafficSettings,
): void {
  if (!settings.http1?.http10?.useDefaultHost || carriesStreams(listener.protocol)) return;
  const text = `has no effect on ${nameOf(listener)}, which has no hostname without an asterisk to take: HTTP/1.0 requests without a host are refused there; give the listener a hostname, or remove the field`;
  note(
    findings,
    inherited,
    listener.gateway,
    problemAt("Warning", "NoEffect", "spec.http1.http10.useDefaultHost", text),
  );
}

function textOf(value: object | undefined): string {
  return JSON.stringify(sortKeys(value ?? {}));
}

function note(
  findings: Map<string, ClientPortFinding>,
  { policy, from }: InheritedPolicy,
  gateway: ObjectKey,
  problem: Problem,
): void {
  const key = `${policy} ${from.kind} ${from.key} ${from.section ?? ""}`;
  if (!findings.has(key)) findings.set(key, { policy, place: from, gateway, problem });
}

function isOfOneGateway(all: readonly ClientListener[]): boolean {
  return new Set(all.map(({ listener }) => listener.gateway)).size === 1;
}

function isOfOneOwner(all: readonly ClientListener[]): boolean {
  return isOfOneGateway(all) && new Set(all.map(({ listener }) => listener.listenerSet)).size === 1;
}

function nameOf({ gateway, listenerSet, name }: ClientListener["listener"]): string {
  return `listener ${name} of ${listenerSet === undefined ? `Gateway ${gateway}` : `ListenerSet ${listenerSet}`}`;
}
