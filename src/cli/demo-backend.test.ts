import { expect, test } from "@jest/globals";
import { startDemoBackend } from "./demo-backend.ts";

test("answers with what it was asked", async () => {
  const backend = await startDemoBackend(0, "one");
  try {
    const response = await fetch(`http://127.0.0.1:${backend.port}/a?status=503&delay=1`, {
      method: "POST",
      headers: { "x-test": "yes" },
      body: "b".repeat(100_000),
    });
    expect(response.status).toBe(503);
    const answer = (await response.json()) as { headers: Record<string, string>; body: string };
    expect(answer).toMatchObject({ backend: "one", method: "POST", path: "/a?status=503&delay=1" });
    expect(answer.headers["x-test"]).toBe("yes");
    expect(answer.body).toHaveLength(65_536);
    await expect(startDemoBackend(backend.port, "two")).rejects.toThrow(/choose another port/);
  } finally {
    await backend.close();
  }
});
