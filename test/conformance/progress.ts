/** Turns what `go test -v` prints about the suite into one line a test. */
export interface Progress {
  read(line: string): void;
  summary(): string;
}

/** Depth one below `TestConformance`: the suite's tests; deeper ones are their steps. */
const RESULT = /^ {4}--- (PASS|FAIL|SKIP): TestConformance\/([^/ ]+) \(([\d.]+)s\)/;
const STEP_FAILED = /^ +--- FAIL: TestConformance\/([^/ ]+\/.+) \(([\d.]+)s\)/;
/** Unlike `=== RUN` only for tests that are not skipped. */
const STARTED = /: Running ([A-Za-z0-9]+), relying on/;

export function createProgress(print: (line: string) => void): Progress {
  const begun = new Map<string, number>();
  const results = new Map<string, string>();
  return {
    read(line) {
      const started = STARTED.exec(line)?.[1];
      if (started !== undefined && !begun.has(started)) {
        begun.set(started, performance.now());
        print(`${String(begun.size).padStart(4)} ${started}`);
        return;
      }
      const [, result, name, seconds] = RESULT.exec(line) ?? [];
      if (result !== undefined && name !== undefined) {
        results.set(name, result);
        if (result === "FAIL") print(`FAILED ${name} (${seconds} s)`);
        return;
      }
      const step = STEP_FAILED.exec(line)?.[1];
      if (step !== undefined) print(`       ${step}`);
    },
    summary() {
      const count = (wanted: string) => [...results.values()].filter((result) => result === wanted).length;
      const failed = [...results].filter(([, result]) => result === "FAIL").map(([name]) => name);
      const end = failed.length === 0 ? "" : `:\n  ${failed.sort().join("\n  ")}`;
      return `${count("PASS")} passed, ${count("SKIP")} skipped, ${failed.length} failed${end}`;
    },
  };
}
