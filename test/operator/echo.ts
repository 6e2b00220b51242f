/** A backend for tests in a cluster: answers with what it was asked and who it is, on port 3000. */
import { createServer } from "node:http";
import { hostname } from "node:os";

const PORT = 3000;

createServer(({ method, url, headers }, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ pod: hostname(), method, path: url, headers }));
}).listen(PORT);
