import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect } from "node:net";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { Container, HookHandler, HttpGet, Probe } from "./objects.ts";
import type { Instance } from "./runtime.ts";

/** What came of a probe or a hook. */
export interface Verdict {
  readonly healthy: boolean;
  readonly message: string;
}

export interface Target {
  readonly podAddress: string;
  readonly container: Container;
  readonly instance: Instance;
}

/** One attempt of a probe. Never rejects. */
export async function checkProbe(probe: Probe, target: Target): Promise<Verdict> {
  const limitMs = (probe.timeoutSeconds ?? 1) * 1_000;
  const { podAddress } = target;
  try {
    if (probe.exec) return await runExec(probe.exec.command ?? [], target, limitMs);
    if (probe.httpGet) return await getHttp(probe.httpGet, target, limitMs);
    if (probe.tcpSocket)
      return await dial(probe.tcpSocket.host ?? podAddress, findPort(probe.tcpSocket.port, target), limitMs);
    if (probe.grpc) return await askHealth(`${podAddress}:${probe.grpc.port}`, probe.grpc.service ?? "", limitMs);
    return { healthy: false, message: "this kind of probe is not supported here" };
  } catch (error) {
    return { healthy: false, message: String(error) };
  }
}

/** Runs a `preStop` or `postStart` hook. Never rejects. */
export async function runHook(handler: HookHandler, target: Target, limitMs: number): Promise<Verdict> {
  try {
    if (handler.exec) return await runExec(handler.exec.command ?? [], target, limitMs);
    if (handler.httpGet) return await getHttp(handler.httpGet, target, limitMs);
    if (handler.sleep) {
      const wanted = handler.sleep.seconds * 1_000;
      await Promise.race([
        new Promise((resolve) => setTimeout(resolve, Math.min(wanted, limitMs))),
        target.instance.exited,
      ]);
      return { healthy: true, message: "" };
    }
    return { healthy: false, message: "this kind of hook is not supported here" };
  } catch (error) {
    return { healthy: false, message: String(error) };
  }
}

async function runExec(command: readonly string[], target: Target, limitMs: number): Promise<Verdict> {
  const { exitCode, output } = await target.instance.exec(command, limitMs);
  return { healthy: exitCode === 0, message: `exit code ${exitCode}: ${output.trim()}` };
}

function findPort(port: string | number, target: Target): number {
  if (/^\d+$/.test(String(port))) return Number(port);
  const named = target.container.ports?.find((candidate) => candidate.name === port);
  if (named === undefined) throw new Error(`container ${target.container.name} has no port named ${port}`);
  return named.containerPort;
}

/** Any answer from 200 to 399 is healthy; certificates are not verified. */
function getHttp(get: HttpGet, target: Target, limitMs: number): Promise<Verdict> {
  const secure = get.scheme === "HTTPS";
  const host = get.host || target.podAddress;
  const headers = Object.fromEntries((get.httpHeaders ?? []).map((header) => [header.name, header.value]));
  return new Promise((resolve, reject) => {
    const options = {
      host,
      port: findPort(get.port, target),
      path: get.path ?? "/",
      headers: { "user-agent": "kube-probe/1.36", ...headers },
      agent: false as const,
      rejectUnauthorized: false,
      signal: AbortSignal.timeout(limitMs),
    };
    const call = (secure ? requestHttps : requestHttp)(options, (response) => {
      const status = response.statusCode ?? 0;
      response.on("error", reject);
      response.resume().once("end", () => {
        const healthy = status >= 200 && status < 400;
        resolve({ healthy, message: `HTTP probe failed with statuscode: ${status}` });
      });
    });
    call.once("error", reject);
    call.end();
  });
}

function dial(host: string, port: number, limitMs: number): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal: AbortSignal.timeout(limitMs) }, () => {
      socket.destroy();
      resolve({ healthy: true, message: "" });
    });
    socket.once("error", reject);
  });
}

const SERVING = 1;

/** The gRPC health checking protocol; its two messages are one field each. */
function askHealth(address: string, service: string, limitMs: number): Promise<Verdict> {
  const name = Buffer.from(service);
  const body = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const client = new Client(address, credentials.createInsecure());
  return new Promise<Verdict>((resolve, reject) => {
    client.makeUnaryRequest(
      "/grpc.health.v1.Health/Check",
      (message: Buffer) => message,
      (bytes: Buffer) => bytes,
      body,
      new Metadata(),
      { deadline: Date.now() + limitMs },
      (error, bytes) => {
        if (error) return reject(error);
        const status = bytes?.[1] ?? 0;
        resolve({ healthy: status === SERVING, message: `service status ${status}` });
      },
    );
  }).finally(() => client.close());
}
