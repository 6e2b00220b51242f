import { objectKey } from "../../base/keys.ts";
import { secretBytes } from "../object-data.ts";
import { readHtpasswd } from "./htpasswd.ts";
import type { FollowContext, FollowFault, SecurityGroup, WrittenSecurity } from "./model.ts";
import { followSecret, isFault, SECRET_BYTES_MAX } from "./secrets.ts";
import { findToldHeaderFault } from "./told-header.ts";

type Written = NonNullable<WrittenSecurity["basicAuth"]>;

export interface BasicAuthSettings extends Omit<Written, "users"> {
  /** Lines as Envoy takes them. */
  readonly users: string | FollowFault;
}

export interface BasicAuthModel {
  /** A line `user:{SHA}hash` for each. Not for the eyes of anybody. */
  readonly users: string;
  /** Header in which the backend is told the user. */
  readonly userHeader?: string;
}

/** Key of the users in their Secret (Envoy Gateway). */
const USERS_KEY = ".htpasswd";

export const basicAuth: SecurityGroup<"basicAuth"> = {
  name: "basicAuth",
  follow: ({ users, ...rest }, context) => ({ ...rest, users: followUsers(users, context) }),
  plan({ users, forwardUsernameHeader: userHeader }, report) {
    if (isFault(users)) report("users", users.fault);
    const fault = userHeader === undefined ? undefined : findToldHeaderFault(userHeader);
    if (fault !== undefined) report("forwardUsernameHeader", fault);
    return isFault(users) ? {} : { basicAuth: { users, ...(userHeader !== undefined && { userHeader }) } };
  },
};

function followUsers(reference: Written["users"], context: FollowContext): string | FollowFault {
  const secret = followSecret(reference, context);
  if (isFault(secret)) return secret;
  const key = objectKey(secret.metadata.namespace, secret.metadata.name);
  const bytes = secretBytes(secret, USERS_KEY);
  if (bytes === undefined)
    return { fault: `names Secret ${key}, which has no key ${USERS_KEY}; put the users under it` };
  if (bytes.length > SECRET_BYTES_MAX) {
    return {
      fault: `names Secret ${key}, whose ${USERS_KEY} has more than ${SECRET_BYTES_MAX} bytes; use fewer users`,
    };
  }
  const users = readHtpasswd(bytes.toString("utf8"));
  return isFault(users) ? { fault: `names Secret ${key}, whose ${USERS_KEY} ${users.fault}` } : users;
}
