import { expect, test } from "@jest/globals";
import { parseCidr } from "./cidr.ts";

test.each([
  ["10.1.2.3/8", "IPv4", "10.0.0.0", 8],
  ["10.1.2.3/32", "IPv4", "10.1.2.3", 32],
  ["192.168.130.7/17", "IPv4", "192.168.128.0", 17],
  ["1.2.3.4/0", "IPv4", "0.0.0.0", 0],
  ["2001:db8:1:2::5/32", "IPv6", "2001:db8::", 32],
  ["2001:0DB8:0:0:8000::/65", "IPv6", "2001:db8:0:0:8000::", 65],
  ["::ffff:1.2.3.4/128", "IPv6", "::ffff:102:304", 128],
  ["::/0", "IPv6", "::", 0],
] as const)("%s", (text, family, network, prefix) => {
  expect(parseCidr(text)).toEqual({ family, network, prefix });
});

test.each(["10.0.0.1", "10.0.0.1/33", "x/8", "::/129", "10.0.0.0/8x", "/8", "10.0.0.0/-1"])("%s is none", (text) => {
  expect(parseCidr(text)).toBeUndefined();
});
