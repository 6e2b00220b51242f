import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { HeaderMutation } from "../../src/envoy/generated/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.ts";
import { BUCKET_HEADER, bucketOf, buildBucketHeader, HOST_BUCKETS } from "../../src/translate/host-buckets.ts";
import { type EnvoyProcess, startEnvoy } from "../harness/envoy.ts";
import { freePort } from "../harness/ports.ts";
import { openRawConnection, type RawAnswer, type RawConnection } from "../harness/raw-connection.ts";
import { waitFor } from "../harness/waiting.ts";

/** Envoy's idea of a host's bucket and ours are the same, whatever a client sends. */

const HOSTS = 3_000;
const SEED = 7_041_776;

let envoy: EnvoyProcess;
let connection: RawConnection;
let port = 0;

beforeAll(async () => {
  port = await freePort();
  const { name, typedConfig } = buildBucketHeader("table#");
  const mutation = HeaderMutation.toJSON(HeaderMutation.decode(typedConfig!.value!)) as object;
  const early = { name, typedConfig: { "@type": typedConfig!.typeUrl, ...mutation } };
  const manager = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "web",
    early_header_mutation_extensions: [early],
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          response_headers_to_add: [{ header: { key: "bucket", value: `%REQ(${BUCKET_HEADER})%` } }],
          routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }],
        },
      ],
    },
  };
  const listener = {
    name: "web",
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
    filter_chains: [{ filters: [{ name: "manager", typed_config: manager }] }],
  };
  envoy = await startEnvoy({ config: { static_resources: { listeners: [listener] } } });
  connection = await waitFor("Envoy to listen", () => openRawConnection(port));
});

afterAll(async () => {
  connection?.destroy();
  await envoy?.stop();
});

async function bucketInEnvoy(host: string): Promise<string> {
  if (!connection.usable) connection = await openRawConnection(port);
  const request = `GET / HTTP/1.1\r\nhost: ${host}\r\n${BUCKET_HEADER}: table#5\r\n\r\n`;
  const answer = await new Promise<RawAnswer | string>((resolve) => connection.send(request, resolve));
  if (typeof answer === "string") return answer;
  return /\r\nbucket: ([^\r]*)/.exec(answer.head)?.[1] ?? String(answer.status);
}

const label = fc.stringMatching(/^[a-zA-Z0-9-]{1,20}$/);
const hosts = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 5 }), fc.constantFrom("", ".", ":8080", ".:443", ":"))
  .map(([labels, end]) => labels.join(".") + end);
test("the bucket of every hostname is the same in Envoy", async () => {
  for (const host of fc.sample(fc.oneof({ weight: 8, arbitrary: hosts }, fc.ipV4()), { numRuns: HOSTS, seed: SEED })) {
    expect([host, await bucketInEnvoy(host)]).toEqual([host, `table#${bucketOf(host)}`]);
  }
});

test("whatever a client sends as its host has some bucket, and never the client's own", async () => {
  const strange = [
    "ümlaut.example.com",
    "\xff\xfe",
    "a b",
    "*",
    "%00",
    "a\tb",
    "~!$&'()",
    "x".repeat(4_000),
    "..",
    "[",
    "]:",
  ];
  for (const host of strange) {
    const bucket = await bucketInEnvoy(Buffer.from(host).toString("latin1"));
    if (bucket === "400") continue;
    expect(bucket).toMatch(/^table#\d{1,3}$/);
    expect(Number(bucket.slice("table#".length))).toBeLessThan(HOST_BUCKETS);
  }
});

test("10,000 hosts of one pattern are spread: the fullest bucket has at most four times its share", () => {
  for (const host of [(i: number) => `app-${i}.team-${i % 37}.example.com`, (i: number) => `svc${i}.example.com`]) {
    const sizes = new Array<number>(HOST_BUCKETS).fill(0);
    for (let i = 0; i < 10_000; i++) sizes[bucketOf(host(i))]!++;
    expect(Math.max(...sizes)).toBeLessThan((4 * 10_000) / HOST_BUCKETS);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
  }
});
