import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { waitFor } from "../../harness/waiting.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import {
  createObject,
  createPod,
  deletePod,
  fetchJson,
  fetchText,
  probeMe,
  READY_LIMIT_MS,
  START_LIMIT_MS,
  untilPod,
  untilReady,
  webContainer,
} from "../fixtures/workloads.ts";
import { isUserMapped } from "./id-maps.ts";
import type { Container } from "./objects.ts";

/** What a pod's spec says is what its processes get. */

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ images: [probeMe] });
  await createObject(cluster, "secrets", { metadata: { name: "settings" }, stringData: { user: "ada", color: "red" } });
  await createObject(cluster, "configmaps", {
    metadata: { name: "words" },
    data: { greeting: "hello", "a.txt": "first" },
  });
}, START_LIMIT_MS);

afterAll(() => cluster?.stop(), START_LIMIT_MS);

/** Address of a ready pod with one container. */
async function runPod(
  name: string,
  container: Partial<Container>,
  spec: object = {},
  metadata: object = {},
): Promise<string> {
  await createPod(cluster, name, { containers: [webContainer(container)], ...spec }, metadata);
  return (await untilReady(cluster, name)).status!.podIP!;
}

test.concurrent(
  "environment: values, fields, resources, Secrets, ConfigMaps, references, the image's",
  async () => {
    const address = await runPod(
      "environment",
      {
        resources: { limits: { cpu: "1500m", memory: "64Mi" } },
        envFrom: [
          { prefix: "S_", secretRef: { name: "settings" } },
          { configMapRef: { name: "absent", optional: true } },
        ],
        env: [
          { name: "PLAIN", value: "one $(S_user) $$(S_user) $(NOBODY)" },
          { name: "FROM_IMAGE", value: "overridden" },
          { name: "WORD", valueFrom: { configMapKeyRef: { name: "words", key: "greeting" } } },
          { name: "COLOR", valueFrom: { secretKeyRef: { name: "settings", key: "color" } } },
          { name: "ABSENT", valueFrom: { secretKeyRef: { name: "settings", key: "absent", optional: true } } },
          { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
          { name: "ADDRESS", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
          { name: "LABEL", valueFrom: { fieldRef: { fieldPath: "metadata.labels['example.com/team']" } } },
          { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
          { name: "MEMORY", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
        ],
        args: ["--disable-warning=$(WORD)"],
        command: ["node", "/app/probe-me.mts"],
      },
      {},
      { labels: { "example.com/team": "blue" } },
    );
    const environment = await fetchJson<Record<string, string>>(address, "/environment");
    expect(environment).toMatchObject({
      PLAIN: "one ada $(S_user) $(NOBODY)",
      FROM_IMAGE: "overridden",
      S_color: "red",
      WORD: "hello",
      COLOR: "red",
      NODE: "node-1",
      ADDRESS: address,
      LABEL: "blue",
      CPU: "2",
      MEMORY: "64",
      HOSTNAME: "environment",
    });
    expect(environment).not.toHaveProperty("ABSENT");
  },
  START_LIMIT_MS,
);

test.concurrent(
  "a pod waits for the Secret that it mounts, and says so",
  async () => {
    await createPod(cluster, "waits", {
      containers: [webContainer({ volumeMounts: [{ name: "late", mountPath: "/late" }] })],
      volumes: [{ name: "late", secret: { secretName: "late" } }],
    });
    const events = () => cluster.kubectl(["get", "events", "-o", "jsonpath={.items[*].message}"]);
    await waitFor("an event", async () => (await events()).includes('secret "late" not found'), READY_LIMIT_MS);
    const waiting = await untilPod(cluster, "waits", "to wait", (pod) => pod.status?.containerStatuses !== undefined);
    expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe("ContainerCreating");
    await createObject(cluster, "secrets", { metadata: { name: "late" }, stringData: { key: "came" } });
    const address = (await untilReady(cluster, "waits")).status!.podIP!;
    expect(await fetchText(address, "/file/late/key")).toBe("came");
  },
  START_LIMIT_MS,
);

test.concurrent(
  "volumes: keys, modes, projections, sub-paths, and read-only",
  async () => {
    const address = await runPod(
      "volumes",
      {
        env: [{ name: "TRY", value: "/words/x,/shared/x,/frozen/x" }],
        volumeMounts: [
          { name: "words", mountPath: "/words" },
          { name: "mix", mountPath: "/mix" },
          { name: "scratch", mountPath: "/shared" },
          { name: "scratch", mountPath: "/frozen", readOnly: true },
          { name: "scratch", mountPath: "/part", subPath: "part" },
          { name: "words", mountPath: "/etc/one.txt", subPath: "renamed/a" },
        ],
      },
      {
        volumes: [
          { name: "scratch", emptyDir: {} },
          { name: "words", configMap: { name: "words", items: [{ key: "a.txt", path: "renamed/a" }] } },
          {
            name: "mix",
            projected: {
              sources: [
                { secret: { name: "settings", items: [{ key: "user", path: "user" }] } },
                { configMap: { name: "words" } },
                { downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
                { serviceAccountToken: { path: "token", audience: "somebody", expirationSeconds: 600 } },
              ],
            },
          },
        ],
      },
      { labels: { team: "blue" } },
    );
    expect(await fetchText(address, "/file/words/renamed/a")).toBe("first");
    expect(await fetchText(address, "/file/etc/one.txt")).toBe("first");
    expect(await fetchText(address, "/file/mix/user")).toBe("ada");
    expect(await fetchText(address, "/file/mix/greeting")).toBe("hello");
    expect(await fetchText(address, "/file/mix/labels")).toBe('team="blue"');
    const [, claims = ""] = (await fetchText(address, "/file/mix/token")).split(".");
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({ aud: ["somebody"] });
    const { writable } = await fetchJson<{ writable: string[] }>(address, "/process");
    expect(writable).toEqual(expect.arrayContaining(["/shared/x", "/made", "/tmp/made"]));
    expect(writable).not.toContain("/words/x");
    expect(writable).not.toContain("/frozen/x");
  },
  START_LIMIT_MS,
);

test.concurrent(
  "a changed Secret or label appears in the volumes of a running pod, all of it at once",
  async () => {
    const secret = "/api/v1/namespaces/default/secrets/moving";
    await createObject(cluster, "secrets", { metadata: { name: "moving" }, stringData: { kept: "1", gone: "1" } });
    const downwardAPI = { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] };
    const address = await runPod(
      "follows",
      {
        volumeMounts: [
          { name: "secret", mountPath: "/secret" },
          { name: "about", mountPath: "/about" },
        ],
      },
      {
        volumes: [
          { name: "secret", secret: { secretName: "moving" } },
          { name: "about", downwardAPI },
        ],
      },
      { labels: { step: "1" } },
    );
    expect(await fetchText(address, "/file/secret/gone")).toBe("1");
    const contentType = "application/merge-patch+json";
    const body = { stringData: { kept: "2", added: "2" }, data: { gone: null } };
    await cluster.rest.json(secret, { method: "PATCH", contentType, body });
    await waitFor("the new file", () => fetchText(address, "/file/secret/added"), READY_LIMIT_MS);
    expect(await fetchText(address, "/file/secret/kept")).toBe("2");
    await expect(fetchText(address, "/file/secret/gone")).rejects.toThrow("ENOENT");
    await cluster.kubectl(["label", "pod", "follows", "step=2", "--overwrite"]);
    const followed = async () => (await fetchText(address, "/file/about/labels")) === 'step="2"';
    await waitFor("the new label", followed, READY_LIMIT_MS);
  },
  START_LIMIT_MS,
);

test.concurrent(
  "security context: user, groups, capabilities, read-only root",
  async () => {
    const address = await runPod(
      "secure",
      {
        securityContext: {
          runAsUser: 65_532,
          runAsGroup: 65_532,
          runAsNonRoot: true,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
        },
        env: [{ name: "TRY", value: "/data/x" }],
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      },
      { securityContext: { fsGroup: 2_000 }, volumes: [{ name: "data", emptyDir: {} }] },
    );
    const about = await fetchJson<Record<string, unknown>>(address, "/process");
    expect(about).toMatchObject({ noNewPrivileges: true, pid: 1, directory: "/app", writable: ["/data/x"] });
    if (isUserMapped(65_532)) {
      expect(about).toMatchObject({ uid: 65_532, gid: 65_532, groups: expect.arrayContaining([2_000]) });
    }
    // CAP_NET_BIND_SERVICE is number 10.
    expect(Number.parseInt(String(about["capabilities"]), 16)).toBe(1 << 10);
  },
  START_LIMIT_MS,
);

test.concurrent(
  "what cannot be run says why",
  async () => {
    await createPod(cluster, "root", { containers: [webContainer({ securityContext: { runAsNonRoot: true } })] });
    await createPod(cluster, "unknown", { containers: [webContainer({ image: "registry.example/other:1" })] });
    await createPod(cluster, "typo", {
      containers: [webContainer({ command: ["no-such-program"] })],
      restartPolicy: "Never",
    });
    const reasonOf = async (name: string) =>
      (
        await untilPod(cluster, name, "to fail", (pod) => {
          const state = pod.status?.containerStatuses?.[0]?.state;
          return state?.terminated !== undefined || (state?.waiting?.message ?? "") !== "";
        })
      ).status!.containerStatuses![0]!.state;
    expect(await reasonOf("root")).toMatchObject({ waiting: { reason: "CreateContainerConfigError" } });
    expect(await reasonOf("unknown")).toMatchObject({ waiting: { reason: "ErrImagePull" } });
    expect(await reasonOf("typo")).toMatchObject({ terminated: { reason: "StartError", exitCode: 128 } });
    for (const name of ["root", "unknown", "typo"]) await deletePod(cluster, name);
  },
  START_LIMIT_MS,
);
