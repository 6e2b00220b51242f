import type { IEndpointSlice } from "kubernetes-models/discovery.k8s.io/v1";
import type { IConfigMap, INamespace, ISecret, IService } from "kubernetes-models/v1";
import type { Kept } from "./object.ts";

/** Kubernetes kinds as read. */
export type Namespace = Kept<INamespace>;
export type Service = Kept<IService>;
export type EndpointSlice = Kept<IEndpointSlice>;
export type Secret = Kept<ISecret>;
export type ConfigMap = Kept<IConfigMap>;
