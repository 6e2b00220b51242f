/**
 * A process of its own that calls `xds:///NAME` through @grpc/grpc-js-xds: the library reads its bootstrap from the environment
 * when it is loaded and keeps its channel for as long as the process lives. Argument: the name. Each line on standard input,
 * a number, makes so many calls and prints the distinct answers, or the error, as one line.
 */

import { createInterface } from "node:readline";
import { Client, credentials } from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";

register();
const client = new Client(`xds:///${process.argv[2]}`, credentials.createInsecure());
const passThrough = (bytes: Buffer): Buffer => bytes;

function call(): Promise<string> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest("/echo/Say", passThrough, passThrough, Buffer.alloc(0), (error, answer) =>
      error === null ? resolve(String(answer)) : reject(error),
    );
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const answers = new Set<string>();
    for (let made = 0; made < Number(line); made++) answers.add(await call());
    console.log([...answers].sort().join());
  } catch (error) {
    console.log(String(error));
  }
}
process.exit();
