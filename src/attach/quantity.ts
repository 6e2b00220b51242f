const binary = "KMGTPE";
const decimal: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
};

/** The number of a Kubernetes quantity such as `512Mi`, `500m` or `1e3`. Undefined when the text is not one. */
export function parseQuantity(quantity: string | number): number | undefined {
  if (typeof quantity === "number") return quantity;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+)?([KMGTPE]i|[numkKMGTPE])?$/.exec(quantity);
  if (match === null) return undefined;
  const [, mantissa = "", exponent = "", unit = ""] = match;
  const factor = unit.endsWith("i") ? 1024 ** (binary.indexOf(unit.charAt(0)) + 1) : (decimal[unit] ?? 1);
  return Number(mantissa + exponent) * factor;
}
