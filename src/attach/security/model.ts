import type { SecurityPolicy } from "../../api/securitypolicy.ts";
import type { ClusterSpec } from "../cluster-model.ts";
import type { PolicyFinding } from "../policy-model.ts";
import type { ResolveReader } from "../resolve-reader.ts";
import type { ApiKeyModel, ApiKeySettings } from "./api-key-auth.ts";
import type { AuthorizationModel } from "./authorization.ts";
import type { BasicAuthModel, BasicAuthSettings } from "./basic-auth.ts";
import type { CorsModel } from "./cors.ts";
import type { CsrfModel } from "./csrf.ts";
import type { ExtAuthModel, ExtAuthSettings } from "./ext-auth.ts";
import type { JwtModel, JwtSettings } from "./jwt.ts";
import type { LoginModel, LoginSettings } from "./oidc.ts";

/** The settings of a SecurityPolicy as they are written, without where it belongs: one field for each group. */
export type WrittenSecurity = Omit<
  SecurityPolicy["spec"],
  "targetRef" | "targetRefs" | "targetSelectors" | "mergeType"
>;

export type SecurityGroupName = keyof WrittenSecurity;

/**
 * The settings of a SecurityPolicy with its references followed, in whose namespace they are followed: what they lead to stands in
 * their place, or a {@link FollowFault}. Policies are merged in this form. Lists are replaced as a whole when that is done, and
 * texts too; what must not be mixed with another policy's has to be one of these. A group that has references says here what becomes
 * of them.
 */
export interface SecuritySettings
  extends Omit<WrittenSecurity, "basicAuth" | "apiKeyAuth" | "jwt" | "extAuth" | "oidc"> {
  readonly basicAuth?: BasicAuthSettings;
  readonly apiKeyAuth?: ApiKeySettings;
  readonly jwt?: JwtSettings;
  readonly oidc?: LoginSettings;
  readonly extAuth?: ExtAuthSettings;
}

/** In place of what a reference should have led to. Completes a sentence that begins with the field. */
export interface FollowFault {
  readonly fault: string;
}

/** What a SecurityPolicy means for the requests of a rule: one member for each group, absent where the policy has none of it. */
export interface SecurityModel {
  readonly cors?: CorsModel;
  readonly csrf?: CsrfModel;
  readonly basicAuth?: BasicAuthModel;
  readonly apiKeyAuth?: ApiKeyModel;
  readonly jwt?: JwtModel;
  readonly authorization?: AuthorizationModel;
  readonly oidc?: LoginModel;
  readonly extAuth?: ExtAuthModel;
  /**
   * Servers that Envoy asks on behalf of the groups, each under a name that its group knows. They become clusters of the gateways that
   * serve the rule, and are adapted to these as backends are, so a group must name the cluster by what stands here.
   */
  readonly servers?: Readonly<Record<string, ClusterSpec>>;
}

/** What a SecurityPolicy means where it is in effect. */
export interface Security {
  /** For requests. Absent: nothing, or `refused`. */
  readonly model?: SecurityModel;
  /** Which connections pass. Absent: all, or `connectionsRefused`. */
  readonly connections?: AuthorizationModel;
  /** The policy cannot do what it says of requests: they are answered with 500 rather than let through. */
  readonly refused?: true;
  /** The policy cannot do what it says of connections: they are closed rather than let through. */
  readonly connectionsRefused?: true;
}

export interface SecurityPlan {
  /** To be merged with. */
  readonly settings: SecuritySettings;
  readonly security: Security;
  /** Of `refused`, those that a policy merged with this one has as well: all but what its groups find. */
  readonly faults: readonly PolicyFinding[];
  /** It names a TCPRoute. */
  readonly namesConnections: boolean;
  /** Why the policy cannot do what it says. */
  readonly refused: readonly PolicyFinding[];
  readonly warnings: readonly PolicyFinding[];
}

/** @param field below the group's own, such as `users`; empty for the group as a whole */
export type ReportFault = (field: string, text: string) => void;

/** Whose references are followed. */
export interface FollowContext {
  readonly namespace: string;
  /** Key of the policy. */
  readonly policy: string;
  readonly read: ResolveReader;
}

/** One group of settings: what it takes to serve it. Each stands in a file of its own and in the list of `groups.ts`. */
export interface SecurityGroup<Name extends SecurityGroupName> {
  readonly name: Name;
  /** Replaces references by what they lead to. Absent: it has none. */
  follow?(written: NonNullable<WrittenSecurity[Name]>, context: FollowContext): NonNullable<SecuritySettings[Name]>;
  /**
   * Judges the settings, merged ones too, and says what they mean. With a fault reported the policy is refused.
   *
   * @param all those of the other groups, which these may refer to
   */
  plan(settings: NonNullable<SecuritySettings[Name]>, report: ReportFault, all: SecuritySettings): SecurityModel;
}
