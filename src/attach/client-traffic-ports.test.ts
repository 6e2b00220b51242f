import { describe, expect, test } from "@jest/globals";
import type { ClientTrafficPlan, ClientTrafficSettings } from "./client-traffic.ts";
import { type ClientListener, settleClientPort } from "./client-traffic-ports.ts";
import type { PolicyPlace } from "./policy-model.ts";

/** Who has a say on a port that listeners share. */

/** Policies by name: what they say is their name, and those that begin with `bad` cannot do it. */
const planOf = (name: string): ClientTrafficPlan =>
  name.startsWith("bad")
    ? { refused: [{ field: "spec.x", text: "is bad" }], warnings: [] }
    : { settings: { healthCheck: { path: `/${name}` } }, refused: [], warnings: [] };

/**
 * `<Gateway>[+<ListenerSet>]/<listener> [<policy>[@<listener|set|gateway>]]`; a policy is the listener's own unless it says else.
 */
function listenerOf(text: string): ClientListener {
  const [place = "", attached] = text.split(" ");
  const [owner = "", name = ""] = place.split("/");
  const [gateway = "", listenerSet] = owner.split("+");
  const hostname = name === "any" ? {} : { hostname: `${name}.test` };
  const listener: ClientListener["listener"] = {
    ...{ gateway, name, protocol: "HTTP" as const, ...hostname },
    ...(listenerSet !== undefined && { listenerSet }),
  };
  if (attached === undefined) return { listener };
  const [policy = "", at = "listener"] = attached.split("@");
  const own: PolicyPlace =
    listenerSet !== undefined && at !== "gateway"
      ? { kind: "ListenerSet", key: listenerSet }
      : { kind: "Gateway", key: gateway };
  const from = at === "listener" ? { ...own, section: name } : own;
  return { listener, inherited: { policy, from }, plan: planOf(policy) };
}

interface Outcome {
  /** The policy that counts. */
  readonly counts?: string;
  /** Hosts that are answered with 500; `all`. */
  readonly shut?: string;
  /** Policies whose status says that they do not count, and what it says is in effect. */
  readonly lost?: Readonly<Record<string, RegExp>>;
}

const nothing = /there is none in effect$/;
const closed = /answered with 500$/;
const other = (name: string) => new RegExp(`until then ClientTrafficPolicy ${name} is in effect$`);

const cases: readonly (readonly [string, readonly string[], Readonly<Record<string, string>>, Outcome])[] = [
  ["no policy", ["g/a", "g/b"], {}, {}],
  ["one of the Gateway", ["g/a p@gateway", "g/b p@gateway"], {}, { counts: "p" }],
  ["one alone on its port", ["g/a p"], {}, { counts: "p" }],
  ["the same for each of them", ["g/a p", "g/b p"], {}, { counts: "p" }],
  ["one of two listeners", ["g/a p", "g/b"], {}, { shut: "a.test", lost: { p: closed } }],
  ["two of two", ["g/a p", "g/b q"], {}, { shut: "all", lost: { p: closed, q: closed } }],
  ["two of three", ["g/a p", "g/b q", "g/any"], {}, { shut: "a.test b.test", lost: { p: closed, q: closed } }],
  [
    "one of two, and the Gateway's",
    ["g/a p", "g/b w@gateway"],
    { "Gateway g": "w" },
    { counts: "w", lost: { p: other("w") } },
  ],
  [
    "two of two, and the Gateway's, which none inherits",
    ["g/a p", "g/b q"],
    { "Gateway g": "w" },
    { counts: "w", lost: { p: other("w"), q: other("w") } },
  ],
  ["the Gateway's is bad", ["g/a bad@gateway", "g/any bad@gateway"], { "Gateway g": "bad" }, { shut: "all" }],
  [
    "the Gateway's is bad, and one has its own",
    ["g/a bad@gateway", "g/b p"],
    { "Gateway g": "bad" },
    { counts: "p", shut: "a.test" },
  ],
  [
    "the Gateway's is bad, and two have their own",
    ["g/a bad@gateway", "g/b p", "g/c q"],
    { "Gateway g": "bad" },
    { shut: "all", lost: { p: closed, q: closed } },
  ],
  ["a bad one beside none", ["g/a bad", "g/b"], {}, { shut: "a.test" }],
  ["a bad one beside a good one", ["g/any bad", "g/b p"], {}, { counts: "p", shut: "*" }],
  [
    "a bad one beside the Gateway's",
    ["g/a bad", "g/b w@gateway"],
    { "Gateway g": "w" },
    { counts: "w", shut: "a.test" },
  ],
  ["two bad ones", ["g/a bad1", "g/b bad2"], {}, { shut: "all" }],
  [
    "a ListenerSet with its own beside the Gateway's",
    ["g/a w@gateway", "g+s/b p@set"],
    { "Gateway g": "w", "ListenerSet s": "p" },
    { counts: "w", lost: { p: other("w") } },
  ],
  [
    "a ListenerSet with its own beside the Gateway's bad one",
    ["g/a bad@gateway", "g+s/b p@set"],
    { "Gateway g": "bad", "ListenerSet s": "p" },
    { counts: "p", shut: "a.test" },
  ],
  [
    "two ListenerSets with their own beside the Gateway's bad one",
    ["g/a bad@gateway", "g+s/b p@set", "g+t/c q@set"],
    { "Gateway g": "bad", "ListenerSet s": "p", "ListenerSet t": "q" },
    { shut: "a.test", lost: { p: nothing, q: nothing } },
  ],
  [
    "a ListenerSet with a bad one beside the Gateway's",
    ["g/a w@gateway", "g+s/b bad@set"],
    { "Gateway g": "w", "ListenerSet s": "bad" },
    { counts: "w", shut: "b.test" },
  ],
  // Who comes later cannot shut who was there.
  ["a ListenerSet without any comes", ["g+s/a p@set", "g+t/b"], { "ListenerSet s": "p" }, { lost: { p: nothing } }],
  [
    "one of a ListenerSet that is alone on the port, and that of the whole",
    ["g+s/a p", "g+s/b w@set"],
    { "ListenerSet s": "w", "Gateway g": "v" },
    { counts: "w", lost: { p: other("w") } },
  ],
  [
    "the ListenerSet's is bad, and the Gateway's is there",
    ["g+s/a p", "g+s/b bad@set", "g+s/c q"],
    { "ListenerSet s": "bad", "Gateway g": "v" },
    { counts: "v", shut: "b.test", lost: { p: other("v"), q: other("v") } },
  ],
  [
    "Gateways that share Envoys, each with its own",
    ["g/a v@gateway", "h/b w@gateway"],
    { "Gateway g": "v", "Gateway h": "w" },
    { lost: { v: nothing, w: nothing } },
  ],
  [
    "Gateways that share Envoys, one with a bad one",
    ["g/a bad@gateway", "h/b w@gateway"],
    { "Gateway g": "bad", "Gateway h": "w" },
    { counts: "w", shut: "a.test" },
  ],
];

describe("plain HTTP", () => {
  test.each(cases)("%s", (_name, texts, wholes, { counts, shut, lost = {} }) => {
    const all = texts.map(listenerOf);
    const settled = settleClientPort({ port: 80, protocol: "HTTP" }, all, (from) => {
      const policy = wholes[`${from.kind} ${from.key}`];
      return policy === undefined ? undefined : { inherited: { policy, from }, plan: planOf(policy) };
    });
    expect(settled.clients?.healthCheck?.path).toBe(counts && `/${counts}`);
    expect(settled.refused ? "all" : settled.shut?.join(" ")).toBe(shut);
    expect(settled.findings.map(({ policy }) => policy).sort()).toEqual(Object.keys(lost).sort());
    for (const { policy, problem } of settled.findings) {
      expect(problem).toMatchObject({ condition: "Accepted", reason: "Invalid" });
      expect(problem.message).toMatch(lost[policy] ?? /^$/);
    }
    const without = all.filter(({ inherited }) => inherited && Object.hasOwn(lost, inherited.policy));
    expect(settled.without ?? []).toHaveLength(without.length);
  });
});

describe("HTTPS", () => {
  const port = (...settings: readonly (ClientTrafficSettings | undefined)[]) =>
    settleClientPort(
      { port: 443, protocol: "HTTPS" },
      settings.map((own, index) => ({
        listener: { gateway: "g", name: `l${index}`, protocol: "HTTPS" as const, tlsMode: "Terminate" as const },
        inherited: { policy: `p${index}`, from: { kind: "Gateway" as const, key: "g", section: `l${index}` } },
        plan: { ...(own && { settings: own }), refused: [], warnings: [] },
      })),
    );
  const probes = (count: number): ClientTrafficSettings => ({ tcpKeepalive: { probes: count } });

  test("what a port has once is the first listener's", () => {
    const { connections, findings, refused, shut } = port(probes(1), probes(2), {}, probes(1));
    expect([connections, refused, shut]).toEqual([probes(1), undefined, undefined]);
    expect(findings.map(({ policy, problem }) => [policy, problem.condition, problem.field])).toEqual([
      ["p1", "Warning", "spec.tcpKeepalive"],
    ]);
  });

  test("a bad one has no say", () => {
    const { connections, findings } = port(undefined, probes(2));
    expect([connections, findings]).toEqual([probes(2), []]);
  });
});
