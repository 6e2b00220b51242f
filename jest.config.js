/** Tests run straight from the TypeScript sources: Node strips the types, `make build` checks them. */
export default {
  testEnvironment: "node",
  roots: ["<rootDir>/src", "<rootDir>/test"],
  testMatch: ["**/*.test.ts"],
  // Pods are processes in Linux namespaces; an API server alone runs anywhere.
  testPathIgnorePatterns: process.platform === "linux" ? [] : ["/test/cluster/(?!control-plane)"],
  extensionsToTreatAsEsm: [".ts"],
  // Beside others on two cores a test waits for its turn; what it waits for itself has limits of its own.
  testTimeout: 20_000,
  transform: { "\\.ts$": "<rootDir>/tools/strip-types.js" },
  cacheDirectory: "node_modules/.cache/jest",
};
