import type { IVolume } from "kubernetes-models/v1";
import {
  boolean,
  int32,
  int64,
  metadata,
  must,
  type Notation,
  quantities,
  quantity,
  string,
  strings,
} from "./notation.ts";
import { fieldReference, labelSelector, localObjectReference, resourceReference } from "./pod.ts";

const items = [{ key: must(string), mode: int32, path: must(string) }] as const;
const downwardItems = [
  { fieldRef: fieldReference, mode: int32, path: must(string), resourceFieldRef: resourceReference },
] as const;

const claimTemplate = {
  metadata,
  spec: must({
    accessModes: [string],
    dataSource: { apiGroup: string, kind: must(string), name: must(string) },
    dataSourceRef: { apiGroup: string, kind: must(string), name: must(string), namespace: string },
    resources: { limits: quantities, requests: quantities },
    selector: labelSelector,
    storageClassName: string,
    volumeAttributesClassName: string,
    volumeMode: string,
    volumeName: string,
  }),
} as const;

const projected = {
  defaultMode: int32,
  sources: [
    {
      clusterTrustBundle: { labelSelector, name: string, optional: boolean, path: must(string), signerName: string },
      configMap: { items, name: string, optional: boolean },
      downwardAPI: { items: downwardItems },
      podCertificate: {
        certificateChainPath: string,
        credentialBundlePath: string,
        keyPath: string,
        keyType: must(string),
        maxExpirationSeconds: int32,
        signerName: must(string),
        userAnnotations: strings,
      },
      secret: { items, name: string, optional: boolean },
      serviceAccountToken: { audience: string, expirationSeconds: int64, path: must(string) },
    },
  ],
} as const;

/** Volumes whose data lies on a storage system reached over the network. */
const storageSystems = {
  awsElasticBlockStore: { fsType: string, partition: int32, readOnly: boolean, volumeID: must(string) },
  azureDisk: {
    cachingMode: string,
    diskName: must(string),
    diskURI: must(string),
    fsType: string,
    kind: string,
    readOnly: boolean,
  },
  azureFile: { readOnly: boolean, secretName: must(string), shareName: must(string) },
  cephfs: {
    monitors: must([string]),
    path: string,
    readOnly: boolean,
    secretFile: string,
    secretRef: localObjectReference,
    user: string,
  },
  cinder: { fsType: string, readOnly: boolean, secretRef: localObjectReference, volumeID: must(string) },
  fc: { fsType: string, lun: int32, readOnly: boolean, targetWWNs: [string], wwids: [string] },
  flocker: { datasetName: string, datasetUUID: string },
  gcePersistentDisk: { fsType: string, partition: int32, pdName: must(string), readOnly: boolean },
  glusterfs: { endpoints: must(string), path: must(string), readOnly: boolean },
  iscsi: {
    chapAuthDiscovery: boolean,
    chapAuthSession: boolean,
    fsType: string,
    initiatorName: string,
    iqn: must(string),
    iscsiInterface: string,
    lun: must(int32),
    portals: [string],
    readOnly: boolean,
    secretRef: localObjectReference,
    targetPortal: must(string),
  },
  nfs: { path: must(string), readOnly: boolean, server: must(string) },
  photonPersistentDisk: { fsType: string, pdID: must(string) },
  portworxVolume: { fsType: string, readOnly: boolean, volumeID: must(string) },
  quobyte: {
    group: string,
    readOnly: boolean,
    registry: must(string),
    tenant: string,
    user: string,
    volume: must(string),
  },
  rbd: {
    fsType: string,
    image: must(string),
    keyring: string,
    monitors: must([string]),
    pool: string,
    readOnly: boolean,
    secretRef: localObjectReference,
    user: string,
  },
  scaleIO: {
    fsType: string,
    gateway: must(string),
    protectionDomain: string,
    readOnly: boolean,
    secretRef: must(localObjectReference),
    sslEnabled: boolean,
    storageMode: string,
    storagePool: string,
    system: must(string),
    volumeName: string,
  },
  storageos: {
    fsType: string,
    readOnly: boolean,
    secretRef: localObjectReference,
    volumeName: string,
    volumeNamespace: string,
  },
  vsphereVolume: { fsType: string, storagePolicyID: string, storagePolicyName: string, volumePath: must(string) },
} as const;

/** Kubernetes 1.35, core/v1 Volume. */
export const volume = {
  ...storageSystems,
  configMap: { defaultMode: int32, items, name: string, optional: boolean },
  csi: {
    driver: must(string),
    fsType: string,
    nodePublishSecretRef: localObjectReference,
    readOnly: boolean,
    volumeAttributes: strings,
  },
  downwardAPI: { defaultMode: int32, items: downwardItems },
  emptyDir: { medium: string, sizeLimit: quantity },
  ephemeral: { volumeClaimTemplate: claimTemplate },
  flexVolume: {
    driver: must(string),
    fsType: string,
    options: strings,
    readOnly: boolean,
    secretRef: localObjectReference,
  },
  gitRepo: { directory: string, repository: must(string), revision: string },
  hostPath: { path: must(string), type: string },
  image: { pullPolicy: string, reference: string },
  name: must(string),
  persistentVolumeClaim: { claimName: must(string), readOnly: boolean },
  projected,
  secret: { defaultMode: int32, items, optional: boolean, secretName: string },
} as const satisfies Notation<IVolume>;
