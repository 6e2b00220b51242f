import { expect, test } from "@jest/globals";
import { createAddressPool, planAddresses, rangesOverlap } from "./addresses.ts";
import { findImage } from "./images.ts";

test("a pool hands out each address once, and a freed one after all that were free longer", () => {
  const pool = createAddressPool("10.1.128.0/28");
  const taken = Array.from({ length: 5 }, () => pool.take());
  expect(taken).toEqual(["10.1.128.10", "10.1.128.11", "10.1.128.12", "10.1.128.13", "10.1.128.14"]);
  expect(() => pool.take()).toThrow("all addresses of 10.1.128.0/28 are taken");
  pool.release("10.1.128.12");
  expect(pool.claim("10.1.128.11")).toBe(false);
  expect(pool.claim("10.1.128.12")).toBe(true);
  pool.release("10.1.128.13");
  expect(pool.take()).toBe("10.1.128.13");
});

test("nothing outside of a pool can be claimed", () => {
  const pool = createAddressPool("10.1.128.0/18");
  for (const address of ["10.1.128.1", "10.1.64.10", "10.1.191.255", "not an address"])
    expect(pool.claim(address)).toBe(false);
  expect(pool.claim("10.1.191.254")).toBe(true);
});

test("a cluster's ranges lie in its own and not in each other", () => {
  const plan = planAddresses(181);
  const parts = [plan.podRange, plan.serviceRange, plan.loadBalancerRange, `${plan.hostEnd}/30`];
  for (const [index, part] of parts.entries()) {
    expect(rangesOverlap(part, plan.range)).toBe(true);
    for (const other of parts.slice(index + 1)) expect(rangesOverlap(part, other)).toBe(false);
  }
  expect(rangesOverlap(plan.range, planAddresses(182).range)).toBe(false);
  expect(rangesOverlap("10.181.3.4", plan.range)).toBe(true);
});

test("the first image whose pattern matches the whole reference counts", () => {
  const images = [{ pattern: "example.com/a:1.*" }, { pattern: "*/a*" }];
  expect(findImage(images, "example.com/a:1.2")).toBe(images[0]);
  expect(findImage(images, "example.com/a:102")).toBe(images[1]);
  expect(findImage(images, "a:1.2")).toBeUndefined();
});
