import { expect, test } from "@jest/globals";
import { waitFor } from "../../harness/waiting.ts";
import { type Content, testTrafficCases } from "./world.ts";

/** A policy under load, edited from one group of fields to the next; what is seen of the last edit shows that it is in effect. */
const edits: readonly (readonly [group: string, spec: Content, shown: RegExp])[] = [
  ["timeout", { timeout: { http: { requestTimeout: "9s" } } }, /"timeout": "9s"/],
  [
    "loadBalancer and circuitBreaker",
    { circuitBreaker: { maxConnections: 77 }, loadBalancer: { type: "Random" } },
    /load_balancing_policies.random/,
  ],
  ["retry", { retry: { numRetries: 1 } }, /"num_retries": 1/],
];

const NAME = "edited under load";
const world = testTrafficCases([
  {
    name: NAME,
    spec: {},
    backends: 2,
    check: async ({ send }) => expect((await send()).status).toBe(200),
  },
]);

test("an edit of any group of fields loses no request and changes no Listener", async () => {
  const { admin, edit, placeOf } = world();
  const { send } = placeOf(NAME);
  const changedListeners = () => admin("/stats?filter=listener_manager.listener_(added|modified|removed)");
  const before = await changedListeners();
  let done = false;
  const statuses = new Map<number, number>();
  const traffic = (async () => {
    while (!done) {
      const { status } = await send();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  })();
  try {
    for (const [group, spec, shown] of edits) {
      edit(NAME, spec);
      await waitFor(`the edit of ${group}`, async () => shown.test(await admin("/config_dump")));
      expect([group, [...statuses.keys()]]).toEqual([group, [200]]);
    }
  } finally {
    done = true;
    await traffic;
  }
  expect([...statuses.keys()]).toEqual([200]);
  expect(await changedListeners()).toBe(before);
}, 60_000);
