import type {
  IAffinity,
  IContainer,
  IEnvVar,
  ILocalObjectReference,
  IPodSecurityContext,
  IResourceRequirements,
  ISecurityContext,
  IToleration,
  ITopologySpreadConstraint,
  IVolumeMount,
} from "kubernetes-models/v1";
import {
  boolean,
  int32,
  int64,
  intOrString,
  keyed,
  must,
  type Notation,
  quantities,
  quantity,
  string,
  strings,
} from "./notation.ts";

/** Kubernetes 1.35, core/v1: what an EnvoyProxy lets a user write into Envoy's pod. */

export const labelSelector = {
  matchExpressions: [{ key: must(string), operator: must(string), values: [string] }],
  matchLabels: strings,
} as const;

export const localObjectReference = { name: string } as const satisfies Notation<ILocalObjectReference>;

const keyReference = { key: must(string), name: string, optional: boolean } as const;
const objectReference = { name: string, optional: boolean } as const;

export const fieldReference = { apiVersion: string, fieldPath: must(string) } as const;
export const resourceReference = { containerName: string, divisor: quantity, resource: must(string) } as const;

export const envVar = {
  name: must(string),
  value: string,
  valueFrom: {
    configMapKeyRef: keyReference,
    fieldRef: fieldReference,
    fileKeyRef: { key: must(string), optional: boolean, path: must(string), volumeName: must(string) },
    resourceFieldRef: resourceReference,
    secretKeyRef: keyReference,
  },
} as const satisfies Notation<IEnvVar>;

export const resourceRequirements = {
  claims: keyed(["name"], { name: must(string), request: string }),
  limits: quantities,
  requests: quantities,
} as const satisfies Notation<IResourceRequirements>;

export const volumeMount = {
  mountPath: must(string),
  mountPropagation: string,
  name: must(string),
  readOnly: boolean,
  recursiveReadOnly: string,
  subPath: string,
  subPathExpr: string,
} as const satisfies Notation<IVolumeMount>;

const profile = { localhostProfile: string, type: must(string) } as const;
const seLinuxOptions = { level: string, role: string, type: string, user: string } as const;
const windowsOptions = {
  gmsaCredentialSpec: string,
  gmsaCredentialSpecName: string,
  hostProcess: boolean,
  runAsUserName: string,
} as const;

export const securityContext = {
  allowPrivilegeEscalation: boolean,
  appArmorProfile: profile,
  capabilities: { add: [string], drop: [string] },
  privileged: boolean,
  procMount: string,
  readOnlyRootFilesystem: boolean,
  runAsGroup: int64,
  runAsNonRoot: boolean,
  runAsUser: int64,
  seLinuxOptions,
  seccompProfile: profile,
  windowsOptions,
} as const satisfies Notation<ISecurityContext>;

export const podSecurityContext = {
  appArmorProfile: profile,
  fsGroup: int64,
  fsGroupChangePolicy: string,
  runAsGroup: int64,
  runAsNonRoot: boolean,
  runAsUser: int64,
  seLinuxChangePolicy: string,
  seLinuxOptions,
  seccompProfile: profile,
  supplementalGroups: [int64],
  supplementalGroupsPolicy: string,
  sysctls: [{ name: must(string), value: must(string) }],
  windowsOptions,
} as const satisfies Notation<IPodSecurityContext>;

const exec = { command: [string] } as const;
const httpGet = {
  host: string,
  httpHeaders: [{ name: must(string), value: must(string) }],
  path: string,
  port: must(intOrString),
  scheme: string,
} as const;
const tcpSocket = { host: string, port: must(intOrString) } as const;

const handler = { exec, httpGet, sleep: { seconds: must(int64) }, tcpSocket } as const;

const probe = {
  exec,
  failureThreshold: int32,
  grpc: { port: must(int32), service: string },
  httpGet,
  initialDelaySeconds: int32,
  periodSeconds: int32,
  successThreshold: int32,
  tcpSocket,
  terminationGracePeriodSeconds: int64,
  timeoutSeconds: int32,
} as const;

export const container = {
  args: [string],
  command: [string],
  env: keyed(["name"], envVar),
  envFrom: [{ configMapRef: objectReference, prefix: string, secretRef: objectReference }],
  image: string,
  imagePullPolicy: string,
  lifecycle: { postStart: handler, preStop: handler, stopSignal: string },
  livenessProbe: probe,
  name: must(string),
  ports: [{ containerPort: must(int32), hostIP: string, hostPort: int32, name: string, protocol: string }],
  readinessProbe: probe,
  resizePolicy: [{ resourceName: must(string), restartPolicy: must(string) }],
  resources: resourceRequirements,
  restartPolicy: string,
  restartPolicyRules: [{ action: must(string), exitCodes: { operator: must(string), values: [int32] } }],
  securityContext,
  startupProbe: probe,
  stdin: boolean,
  stdinOnce: boolean,
  terminationMessagePath: string,
  terminationMessagePolicy: string,
  tty: boolean,
  volumeDevices: keyed(["devicePath"], { devicePath: must(string), name: must(string) }),
  volumeMounts: keyed(["mountPath"], volumeMount),
  workingDir: string,
} as const satisfies Notation<IContainer>;

const nodeRequirement = { key: must(string), operator: must(string), values: [string] } as const;
const nodeTerm = { matchExpressions: [nodeRequirement], matchFields: [nodeRequirement] } as const;
const podTerm = {
  labelSelector,
  matchLabelKeys: [string],
  mismatchLabelKeys: [string],
  namespaceSelector: labelSelector,
  namespaces: [string],
  topologyKey: must(string),
} as const;
const podAffinity = {
  preferredDuringSchedulingIgnoredDuringExecution: [{ podAffinityTerm: must(podTerm), weight: must(int32) }],
  requiredDuringSchedulingIgnoredDuringExecution: [podTerm],
} as const;

export const affinity = {
  nodeAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [{ preference: must(nodeTerm), weight: must(int32) }],
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: must([nodeTerm]) },
  },
  podAffinity,
  podAntiAffinity: podAffinity,
} as const satisfies Notation<IAffinity>;

export const toleration = {
  effect: string,
  key: string,
  operator: string,
  tolerationSeconds: int64,
  value: string,
} as const satisfies Notation<IToleration>;

export const topologySpreadConstraint = {
  labelSelector,
  matchLabelKeys: [string],
  maxSkew: must(int32),
  minDomains: int32,
  nodeAffinityPolicy: string,
  nodeTaintsPolicy: string,
  topologyKey: must(string),
  whenUnsatisfiable: must(string),
} as const satisfies Notation<ITopologySpreadConstraint>;
