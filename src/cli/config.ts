import {
  configurationDefaults as defaults,
  type EnvoyGateway,
  envoyGatewayDefinition,
  type LogComponent,
  refusedFields,
} from "../api/envoygateway.ts";
import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import { type FieldProblem, isRecord } from "../api/field.ts";
import { type ContentValidator, compileDefinition } from "../api/validator.ts";
import type { LogThreshold } from "../base/log.ts";
import { readWatchScope } from "../inputs/kubernetes/watch-scope.ts";
import type { Rate } from "../kube/token-bucket.ts";
import type { WatchScope } from "../kube/watch-set.ts";
import { parseDuration } from "../translate/duration.ts";
import { type RateLimitConfiguration, readRateLimit } from "./config-rate-limit.ts";

/** What the configuration file says, in our units, with defaults filled in. Times in milliseconds, sizes in bytes. */
export interface Configuration {
  readonly controllerName: string;
  readonly watch: WatchScope;
  readonly deploy: "ControllerNamespace" | "GatewayNamespace";
  readonly leaderElection: LeaderElection;
  /** Of calls to the API server. Undefined: the client's own, and that of the status writer. */
  readonly clientRate?: Rate;
  readonly shutdownManagerImage?: string;
  readonly logging: LoggingConfiguration;
  readonly admin: { readonly host: string; readonly port: number };
  readonly prometheus: boolean;
  readonly xds: XdsConfiguration;
  /** False: Backends are refused. */
  readonly backends: boolean;
  /** Undefined: policies with global rate limits are refused. */
  readonly rateLimit?: RateLimitConfiguration;
  /** Undefined: Envoys are as we think best. */
  readonly envoyProxy?: EnvoyProxySpec;
}

export interface LeaderElection {
  readonly enabled: boolean;
  readonly leaseMilliseconds: number;
  readonly renewDeadlineMilliseconds: number;
  readonly retryMilliseconds: number;
}

export interface LoggingConfiguration {
  readonly levels: Readonly<Partial<Record<LogComponent, LogThreshold>>>;
  readonly format?: "json" | "text";
}

export interface XdsConfiguration {
  readonly maxConnectionAgeMilliseconds?: number;
  readonly maxConnectionAgeGraceMilliseconds?: number;
  readonly receiveLimitBytes?: number;
}

export type ReadConfiguration =
  | { readonly configuration: Configuration; readonly problems?: undefined }
  | { readonly problems: readonly FieldProblem[] };

/** As in client-go. */
const LEASE_MS = 15_000;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;

let validate: ContentValidator | undefined;

/** Reads the value of a configuration file; undefined, an empty file, is a configuration of defaults. */
export function readConfiguration(raw: unknown): ReadConfiguration {
  if (raw === undefined || raw === null) return resolve({});
  if (!isRecord(raw)) return { problems: [{ path: [], message: "must be an object of kind EnvoyGateway" }] };
  const { apiVersion, kind, ...fields } = raw;
  const problems = checkHead(apiVersion, kind);
  let served: Record<string, unknown> = fields;
  for (const { path, accepts, message } of refusedFields) {
    const value = valueAt(fields, path) ?? undefined;
    if (value === undefined) continue;
    served = without(served, path);
    if (!accepts?.(value)) problems.push({ path, message });
  }
  validate ??= compileDefinition(envoyGatewayDefinition);
  const { content, problems: found } = validate({ spec: served });
  problems.push(...found.map(({ path, message }) => ({ path: path.slice(1), message })));
  return problems.length > 0 ? { problems } : resolve(content["spec"] as EnvoyGateway);
}

function checkHead(apiVersion: unknown, kind: unknown): FieldProblem[] {
  const { group, version, kind: expected } = envoyGatewayDefinition;
  const problems: FieldProblem[] = [];
  if (apiVersion !== `${group}/${version}`) {
    problems.push({ path: ["apiVersion"], message: `must be ${group}/${version}` });
  }
  if (kind !== expected) problems.push({ path: ["kind"], message: `must be ${expected}` });
  return problems;
}

function valueAt(root: unknown, [step, ...rest]: readonly string[]): unknown {
  if (step === undefined) return root;
  return isRecord(root) ? valueAt(root[step], rest) : undefined;
}

/** A copy of an object that has a value at the path, without it. */
function without(root: Record<string, unknown>, [step = "", ...rest]: readonly string[]): Record<string, unknown> {
  const { [step]: inner, ...others } = root;
  return rest.length === 0 ? others : { ...others, [step]: without(inner as Record<string, unknown>, rest) };
}

function resolve(file: Partial<EnvoyGateway>): ReadConfiguration {
  const { provider, logging, admin, telemetry, xdsServer, extensionApis, envoyProxy } = file;
  const { watch, deploy, leaderElection, client, shutdownManager, rateLimitDeployment } = provider?.kubernetes ?? {};
  const election = readElection(leaderElection);
  if ("problem" in election) return { problems: [election.problem] };
  const rate = client?.rateLimit;
  const rateLimit = readRateLimit(file.rateLimit, rateLimitDeployment);
  if (rateLimitDeployment && rateLimit === undefined) return { problems: [withoutService] };
  if (rateLimit && deploy?.type === "GatewayNamespace") return { problems: [besideGateways] };
  const configuration: Configuration = {
    controllerName: file.gateway?.controllerName ?? defaults.controllerName,
    watch: readWatchScope(watch),
    deploy: deploy?.type ?? defaults.deploy,
    leaderElection: election,
    ...(rate && {
      clientRate: {
        queriesPerSecond: rate.qps ?? defaults.queriesPerSecond,
        burst: rate.burst ?? defaults.burst,
      },
    }),
    ...(shutdownManager?.image && { shutdownManagerImage: shutdownManager.image }),
    logging: readLogging(logging),
    admin: { host: admin?.address?.host ?? defaults.adminHost, port: admin?.address?.port ?? defaults.adminPort },
    prometheus: telemetry?.metrics?.prometheus?.disable !== true,
    xds: readXds(xdsServer),
    backends: extensionApis?.enableBackend !== false,
    ...(rateLimit && { rateLimit }),
    ...(envoyProxy && { envoyProxy }),
  };
  return { configuration };
}

const withoutService: FieldProblem = {
  path: ["provider", "kubernetes", "rateLimitDeployment"],
  message: "is about the rate limit service, of which this file has none; write rateLimit too, or leave the field out",
};

/** There Envoys have no certificates that the service could know them by. */
const besideGateways: FieldProblem = {
  path: ["rateLimit"],
  message:
    "cannot be had together with provider.kubernetes.deploy.type GatewayNamespace in this version; leave one of them out",
};

type KubernetesProvider = NonNullable<NonNullable<EnvoyGateway["provider"]>["kubernetes"]>;

function readElection(file: KubernetesProvider["leaderElection"]): LeaderElection | { readonly problem: FieldProblem } {
  const election = {
    enabled: file?.disable !== true,
    leaseMilliseconds: parseDuration(file?.leaseDuration) ?? LEASE_MS,
    renewDeadlineMilliseconds: parseDuration(file?.renewDeadline) ?? RENEW_DEADLINE_MS,
    retryMilliseconds: parseDuration(file?.retryPeriod) ?? RETRY_MS,
  };
  const refuse = (field: string, message: string) => ({
    problem: { path: ["provider", "kubernetes", "leaderElection", field], message },
  });
  if (election.renewDeadlineMilliseconds >= election.leaseMilliseconds) {
    return refuse("renewDeadline", "must be shorter than leaseDuration, or two replicas lead at the same time");
  }
  if (election.retryMilliseconds <= 0 || election.retryMilliseconds >= election.renewDeadlineMilliseconds) {
    return refuse("retryPeriod", "must be longer than 0 and shorter than renewDeadline, which it has to fit into");
  }
  return election;
}

/** Words of the kind that our logger has no level of its own for. */
const levelOfWord = { trace: "debug", critical: "error" } as const;

function readLogging(file: EnvoyGateway["logging"]): LoggingConfiguration {
  const levels: Partial<Record<LogComponent, LogThreshold>> = {};
  for (const [component, word] of Object.entries(file?.level ?? {})) {
    levels[component as LogComponent] = word === "trace" || word === "critical" ? levelOfWord[word] : word;
  }
  const format = file?.encoder === undefined ? undefined : file.encoder === "JSON" ? "json" : "text";
  return { levels, ...(format && { format }) };
}

function readXds(file: EnvoyGateway["xdsServer"]): XdsConfiguration {
  const maxConnectionAgeMilliseconds = parseDuration(file?.maxConnectionAge);
  const maxConnectionAgeGraceMilliseconds = parseDuration(file?.maxConnectionAgeGrace);
  const size = file?.maxReceiveMessageSize;
  return {
    ...(maxConnectionAgeMilliseconds && { maxConnectionAgeMilliseconds }),
    ...(maxConnectionAgeGraceMilliseconds !== undefined && { maxConnectionAgeGraceMilliseconds }),
    ...(size !== undefined && { receiveLimitBytes: bytesOf(String(size)) }),
  };
}

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Bytes of a size that the schema has checked, such as `64Mi`. */
function bytesOf(size: string): number {
  const digits = /^\d+/.exec(size)?.[0] ?? "0";
  return Number(digits) * (BYTES_PER_UNIT[size.slice(digits.length)] ?? 1);
}
