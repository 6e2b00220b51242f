/**
 * A backend that answers as a request asks it to, on port 3000: header `x-behave` holds a {@link Wish} in JSON. A pod with the variable
 * SICK says so at `/health`, and answers with 500 who wants to see it.
 */
import { createServer } from "node:http";
import { hostname } from "node:os";

export interface Wish {
  readonly delayMs?: number;
  /** Of the first `times` tries of the request, which have one `x-request-id`; of all when left out. */
  readonly status?: number;
  readonly times?: number;
  /** 500 from pods that are sick. */
  readonly showSickness?: boolean;
}

const PORT = 3000;
const isSick = process.env["SICK"] !== undefined;
const tries = new Map<string, number>();

createServer((request, response) => {
  const { method, url, headers, socket } = request;
  if (url === "/health") return void response.end(isSick ? "ailing" : "healthy");
  const wish = JSON.parse(String(headers["x-behave"] ?? "{}")) as Wish;
  const id = String(headers["x-request-id"]);
  const attempt = (tries.get(id) ?? 0) + 1;
  tries.set(id, attempt);
  const wished = wish.status !== undefined && attempt <= (wish.times ?? attempt) ? wish.status : 200;
  response.statusCode = wish.showSickness && isSick ? 500 : wished;
  response.setHeader("content-type", "application/json");
  // A connection from one address is known by its port.
  const seen = { pod: hostname(), method, path: url, headers, attempt, connection: socket.remotePort };
  request.resume();
  request.on("end", () => setTimeout(() => response.end(JSON.stringify(seen)), wish.delayMs ?? 0));
}).listen(PORT);
