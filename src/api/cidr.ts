/** IPv4 or IPv6 address with the length of its prefix. The text of the published schema, which is not anchored. */
const octet = "(25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)";
const ipv4 = Array(4).fill(octet).join("\\.");
const embedded = "((25[0-5]|(2[0-4]|1{0,1}[0-9]){0,1}[0-9])\\.){3,3}(25[0-5]|(2[0-4]|1{0,1}[0-9]){0,1}[0-9])";
const word = "[0-9a-fA-F]{1,4}";
/** So many words before the gap of `::`, and so many after it. */
const gaps = [5, 4, 3, 2].map((before, index) => `(${word}:){1,${before}}(:${word}){1,${index + 2}}`);
const ipv6 = [
  `(${word}:){7,7}${word}`,
  `(${word}:){1,7}:`,
  `(${word}:){1,6}:${word}`,
  ...gaps,
  `${word}:((:${word}){1,6})`,
  `:((:${word}){1,7}|:)`,
  "fe80:(:[0-9a-fA-F]{0,4}){0,4}%[0-9a-zA-Z]{1,}",
  `::(ffff(:0{1,4}){0,1}:){0,1}${embedded}`,
  `(${word}:){1,4}:${embedded}`,
].join("|");

export const CIDR = `(${ipv4}\\/([0-9]+))|((${ipv6})\\/([0-9]+))`;
