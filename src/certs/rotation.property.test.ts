import { X509Certificate } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Authority, type AuthorityStep, planAuthorities } from "./authorities.ts";
import { type ReadCertificate, readCertificate } from "./certificate.ts";
import { gatewaySubject, serverSubject } from "./identity.ts";
import { issueAuthority, issueLeaf, type KeyPair } from "./issue.ts";
import { leafValidity, planLeaves, type WantedLeaf } from "./leaves.ts";
import type { Lifetimes } from "./lifetimes.ts";

/**
 * A month of an installation whose clock is made up: a controller that is away at times, Envoys that see ConfigMap and Secret
 * late, each for itself. Whenever an Envoy and the server meet, each must believe the other.
 */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const lifetimes: Lifetimes = {
  authority: 144 * HOUR_MS,
  leaf: 24 * HOUR_MS,
  trustLead: HOUR_MS,
  backdate: 5 * MINUTE_MS,
};
const STEP_MS = 20 * MINUTE_MS;
const STEPS = (30 * 24 * HOUR_MS) / STEP_MS;
/** Kubelet's worst case, rounded up. */
const LAG_MAX_STEPS = (40 * MINUTE_MS) / STEP_MS;
/** Of what is left of a leaf when it is due at its latest, less lag. */
const AWAY_MAX_MS = 6 * HOUR_MS;

const server: WantedLeaf = {
  secretName: "server",
  subject: serverSubject({ namespace: "system", name: "gatehouse" }, "cluster.local"),
};
const client: WantedLeaf = { secretName: "client", subject: gatewaySubject("system", "a/a"), gateway: "a/a" };

/** Longest time in which the ConfigMap cannot be written, just when there is a new authority to make known. */
const BLOCKED_MAX_MS = 24 * HOUR_MS;

/** What is in the cluster at one time. Certificates never change once issued, so copies of the maps are snapshots. */
interface World {
  readonly authorities: readonly Authority[];
  readonly leaves: ReadonlyMap<string, ReadCertificate>;
  /** What the server believes. */
  readonly believed: string;
  /** What Envoys believe, once they see it. */
  readonly bundle: string;
}

/**
 * One look of the controller at the world. An adversary deletes the server's certificate whenever anything happened to the
 * authorities, so that whoever signs then signs at the worst moment.
 */
async function advance(
  world: World,
  keys: Map<string, KeyPair>,
  now: number,
  isBlocked: () => boolean,
): Promise<World> {
  let { authorities, bundle } = world;
  const leaves = new Map(world.leaves);
  const plan = () =>
    planAuthorities(authorities, ({ certificate }) => bundle.includes(certificate!.pem), now, lifetimes);
  for (let { step } = plan(); step !== undefined; { step } = plan()) {
    authorities = await perform(authorities, step, keys, now);
    leaves.delete(server.secretName);
  }
  const { bundle: believed, signing } = plan();
  if (!isBlocked()) bundle = believed;
  const present = new Map([...leaves].map(([secretName, certificate]) => [secretName, { secretName, certificate }]));
  for (const { leaf } of planLeaves([server, client], present, authorities, now).issue) {
    const { secretName, subject } = leaf;
    const pair = await issueLeaf(keys.get(signing!.name)!, subject, leafValidity(now, lifetimes));
    leaves.set(secretName, readCertificate(pair.certificate, pair.key)!);
  }
  return { authorities, believed, bundle, leaves };
}

async function perform(
  authorities: readonly Authority[],
  step: AuthorityStep,
  keys: Map<string, KeyPair>,
  now: number,
): Promise<readonly Authority[]> {
  if (step.do === "create") {
    const { generation } = step;
    const validity = { notBefore: now - lifetimes.backdate, notAfter: now + lifetimes.authority };
    const pair = await issueAuthority(`generation ${generation}`, validity);
    const name = `ca-${generation}`;
    keys.set(name, pair);
    const certificate = readCertificate(pair.certificate, pair.key)!;
    return [...authorities, { name, generation, certificate, ...(step.signs && { signsSince: now }) }];
  }
  const others = authorities.filter((each) => each !== step.authority);
  if (step.do === "remove") return others;
  const mark = step.do === "sign" ? { signsSince: now } : { trustedSince: now };
  return [...others, { ...step.authority, ...mark }];
}

const issuers = new Map<string, X509Certificate | undefined>();

/** Which authority of a bundle signed a leaf. Remembered, because signatures are slow. */
function issuerOf(leaf: ReadCertificate, bundle: string): X509Certificate | undefined {
  const key = leaf.x509.fingerprint256 + bundle;
  if (!issuers.has(key)) {
    const blocks = bundle.match(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----\n/g) ?? [];
    const authorities = blocks.map((pem) => new X509Certificate(pem));
    const found = authorities.find((each) => leaf.x509.checkIssued(each) && leaf.x509.verify(each.publicKey));
    issuers.set(key, found);
  }
  return issuers.get(key);
}

/** Why a side that trusts this bundle would refuse this certificate now. */
function refusal(bundle: string, leaf: ReadCertificate, now: number): string | undefined {
  if (now < leaf.notBefore || now > leaf.notAfter) return "expired";
  const issuer = issuerOf(leaf, bundle);
  if (issuer === undefined) return "unknown authority";
  return now > issuer.validToDate.getTime() ? "expired authority" : undefined;
}

test("peers believe each other through every rotation, however late they see it and while the controller is away", async () => {
  const absences = fc.array(fc.tuple(fc.nat(STEPS), fc.nat(AWAY_MAX_MS / STEP_MS)), { maxLength: 8 });
  const blocks = fc.array(fc.nat(BLOCKED_MAX_MS / STEP_MS), { minLength: 3, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(absences, blocks, fc.nat(LAG_MAX_STEPS), async (away, blocks, lag) => {
      const isAway = (step: number) => away.some(([from, length]) => step >= from && step < from + length);
      const keys = new Map<string, KeyPair>();
      const history: World[] = [];
      let world: World = { authorities: [], leaves: new Map(), believed: "", bundle: "" };
      let absent = 0;
      let blockedUntil = 0;
      for (let step = 0; step < STEPS; step++) {
        const now = 1_700_000_000_000 + step * STEP_MS;
        absent = step > 0 && isAway(step) && absent * STEP_MS < AWAY_MAX_MS ? absent + 1 : 0;
        if (absent === 0) {
          const generations = keys.size;
          world = await advance(world, keys, now, () => {
            if (keys.size > Math.max(1, generations)) blockedUntil = step + blocks[keys.size % blocks.length]!;
            return step < blockedUntil;
          });
        }
        history.push(world);
        const seen = (lag: number) => history[Math.max(0, step - lag)]!;
        const faults = [
          refusal(world.believed, seen(lag).leaves.get(client.secretName)!, now),
          refusal(seen(LAG_MAX_STEPS).bundle, world.leaves.get(server.secretName)!, now),
        ];
        if (faults.some((each) => each !== undefined)) expect({ step, faults }).toBeUndefined();
      }
      const generation = Math.max(...world.authorities.map((each) => each.generation));
      expect(generation).toBeGreaterThanOrEqual(6);
      expect(world.authorities.length).toBeLessThanOrEqual(3);
    }),
    { numRuns: 4 },
  );
}, 120_000);
