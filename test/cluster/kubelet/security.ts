import type { Image } from "../images.ts";
import { isGroupMapped, isUserMapped } from "./id-maps.ts";
import type { Container, Outcome, Pod } from "./objects.ts";

export interface ProcessIdentity {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** Names with `CAP_`. A process of another user than root has none of them until it executes a file that grants one. */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly readOnlyRoot: boolean;
}

/** What container runtimes leave a container unless it says otherwise. */
const DEFAULT_CAPABILITIES = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "NET_RAW",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];
const FURTHER_CAPABILITIES = [
  "AUDIT_CONTROL",
  "AUDIT_READ",
  "BLOCK_SUSPEND",
  "BPF",
  "CHECKPOINT_RESTORE",
  "DAC_READ_SEARCH",
  "IPC_LOCK",
  "IPC_OWNER",
  "LEASE",
  "LINUX_IMMUTABLE",
  "MAC_ADMIN",
  "MAC_OVERRIDE",
  "NET_ADMIN",
  "NET_BROADCAST",
  "PERFMON",
  "SYSLOG",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_MODULE",
  "SYS_NICE",
  "SYS_PACCT",
  "SYS_PTRACE",
  "SYS_RAWIO",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "WAKE_ALARM",
];
const ALL_CAPABILITIES = [...DEFAULT_CAPABILITIES, ...FURTHER_CAPABILITIES];

/** Users and rights of a container's processes, from the container's and the pod's security context and the image. */
export function identify(container: Container, pod: Pod, image: Image): Outcome<ProcessIdentity> {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const uid = own.runAsUser ?? shared.runAsUser ?? image.user ?? 0;
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) && uid === 0) {
    const message = `container has runAsNonRoot and image will run as root (${container.name})`;
    return { obstacle: { reason: "CreateContainerConfigError", message } };
  }
  // Where an image has a user, its group comes along; a user from the security context has group 0 unless that says more.
  const userIsOfImage = own.runAsUser === undefined && shared.runAsUser === undefined;
  const gid = own.runAsGroup ?? shared.runAsGroup ?? (userIsOfImage ? (image.group ?? uid) : 0);
  const groups = [...(shared.supplementalGroups ?? []), ...(shared.fsGroup === undefined ? [] : [shared.fsGroup])];
  return {
    value: {
      uid: isUserMapped(uid) ? uid : 0,
      gid: isGroupMapped(gid) ? gid : 0,
      additionalGids: groups.filter(isGroupMapped),
      capabilities: capabilitiesOf(own),
      noNewPrivileges: own.allowPrivilegeEscalation === false,
      readOnlyRoot: own.readOnlyRootFilesystem === true,
    },
  };
}

function capabilitiesOf(context: NonNullable<Container["securityContext"]>): string[] {
  if (context.privileged) return ALL_CAPABILITIES.map(qualify);
  const { add = [], drop = [] } = context.capabilities ?? {};
  const kept = drop.some(isAll) ? [] : DEFAULT_CAPABILITIES.filter((name) => !drop.map(bare).includes(name));
  const added = add.some(isAll) ? ALL_CAPABILITIES : add.map(bare);
  return [...new Set([...kept, ...added])].map(qualify);
}

const bare = (name: string) => name.replace(/^CAP_/, "");
const qualify = (name: string) => `CAP_${name}`;
const isAll = (name: string) => name.toUpperCase() === "ALL";
