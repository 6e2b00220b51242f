import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { type MergeKeys, mergeObjects } from "./object-merge.ts";

/** Examples of RFC 7386, appendix A. */
test.each([
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', "{}"],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
  ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
  ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
  ['["a","b"]', '["c","d"]', '["c","d"]'],
  ['{"a":"b"}', '["c"]', '["c"]'],
  ['{"a":"foo"}', "null", "null"],
  ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
  ["[1,2]", '{"a":"b","c":null}', '{"a":"b"}'],
  ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
])("JSON merge of %s and %s is %s", (base, patch, result) => {
  expect(mergeObjects(JSON.parse(base), JSON.parse(patch), "JSONMerge")).toEqual(JSON.parse(result));
});

const keys: MergeKeys = new Map([
  ["spec.containers", "name"],
  ["spec.containers[].env", "name"],
  ["spec.ports", "port"],
]);

const base = `
spec:
  replicas: 1
  containers:
    - {name: envoy, image: a, args: [x, y], env: [{name: A, value: "1"}, {name: B, value: "2"}]}
    - {name: helper, image: b}
  ports: [{port: 80, name: http}]
`;

describe("strategic merge", () => {
  test.each([
    [
      "merges keyed lists at every depth and replaces others",
      "spec: {containers: [{name: envoy, args: [z], env: [{name: B, value: '3'}, {name: C, value: '4'}]}]}",
      `spec: {replicas: 1, containers: [{name: envoy, image: a, args: [z], env: [{name: A, value: "1"}, {name: B, value: "3"}, {name: C, value: "4"}]}, {name: helper, image: b}], ports: [{port: 80, name: http}]}`,
    ],
    [
      "adds items whose key is new",
      "spec: {ports: [{port: 81}]}",
      `spec: {replicas: 1, containers: [{name: envoy, image: a, args: [x, y], env: [{name: A, value: "1"}, {name: B, value: "2"}]}, {name: helper, image: b}], ports: [{port: 80, name: http}, {port: 81}]}`,
    ],
    [
      "removes by null and by directive",
      "spec: {replicas: null, ports: null, containers: [{name: envoy, $patch: delete}, {name: none, $patch: delete}]}",
      "spec: {containers: [{name: helper, image: b}]}",
    ],
    [
      "replaces by directive",
      "spec: {containers: [{$patch: replace}, {name: one}], ports: [{port: 80, $patch: replace}]}",
      "spec: {replicas: 1, containers: [{name: one}], ports: []}",
    ],
    ["replaces a whole object by directive", "spec: {$patch: replace, a: 1}", "spec: {a: 1}"],
    ["keeps only what $retainKeys names", "spec: {$retainKeys: [replicas], replicas: 2}", "spec: {replicas: 2}"],
    [
      "takes items out of a list of scalars",
      "spec: {containers: [{name: envoy, $deleteFromPrimitiveList/args: [x]}, {name: helper, $patch: delete}], ports: null, $setElementOrder/containers: [{name: envoy}]}",
      `spec: {replicas: 1, containers: [{name: envoy, image: a, args: [y], env: [{name: A, value: "1"}, {name: B, value: "2"}]}]}`,
    ],
  ])("%s", (_, patch, result) => {
    expect(mergeObjects(parse(base), parse(patch), "StrategicMerge", keys)).toEqual(parse(result));
  });

  test("leaves its inputs alone", () => {
    const before = parse(base);
    mergeObjects(
      before,
      parse("spec: {containers: [{name: envoy, env: [{name: A, value: '9'}]}]}"),
      "StrategicMerge",
      keys,
    );
    expect(before).toEqual(parse(base));
  });
});
