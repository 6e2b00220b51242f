import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ConfigMap } from "../api/core.ts";
import { authority, otherAuthority, revocations } from "./key-pairs.test-support.ts";
import { findUnlisted, followRevocations } from "./revocation.ts";

const holding = (data: Record<string, string>): ConfigMap => ({
  ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "list", namespace: "a" } },
  data,
});
const list = holding({ "ca.crl": revocations });

function follow(object: ConfigMap): boolean {
  const read = { secret: () => undefined, configMap: () => object };
  return typeof followRevocations({ group: "", kind: "ConfigMap", name: "list" }, "a", read) === "string";
}

test("an authority without a list is found by its name", () => {
  const bundle = (...pems: string[]) => holding({ "ca.crt": pems.join("") });
  expect(findUnlisted([bundle(otherAuthority)], [list])).toBeUndefined();
  expect(findUnlisted([bundle(otherAuthority, authority)], [list])).toBe("CN=Test authority");
  expect(findUnlisted([bundle(otherAuthority)], [])).toBe("CN=Test clients");
});

test("whatever bytes a list has, they are judged, and those that are cut or have more are refused", () => {
  const der = Buffer.from(revocations.replace(/-----[A-Z0-9 ]+-----|\n/g, ""), "base64");
  const pem = (bytes: Uint8Array) =>
    holding({
      "ca.crl": `-----BEGIN X509 CRL-----\n${Buffer.from(bytes).toString("base64")}\n-----END X509 CRL-----\n`,
    });
  expect(follow(pem(der))).toBe(true);
  fc.assert(
    fc.property(
      fc.nat(der.length - 1),
      fc.integer({ min: 0, max: 255 }),
      fc.uint8Array({ minLength: 1 }),
      (at, byte, more) => {
        expect(follow(pem(der.subarray(0, at)))).toBe(false);
        expect(follow(pem(Buffer.concat([der, more])))).toBe(false);
        const changed = Buffer.from(der);
        changed[at] = byte;
        expect(typeof follow(pem(changed))).toBe("boolean");
        expect(follow(pem(more))).toBe(false);
      },
    ),
  );
});
