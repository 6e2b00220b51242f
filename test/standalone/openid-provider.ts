import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A real OpenID provider, at which everybody may log in under any name. */
export interface OpenIdProvider {
  readonly port: number;
  readonly issuer: string;
  /** Requests for tokens that it refused. */
  readonly refused: readonly string[];
  stop(): Promise<void>;
}

/** What is used of the package, which comes without types. */
interface ProviderModule {
  readonly default: new (
    issuer: string,
    configuration: object,
  ) => {
    callback(): Parameters<typeof createServer>[1];
    on(event: string, listener: (context: unknown, error: Error & { error_description?: string }) => void): void;
  };
}

export interface OpenIdClient {
  readonly id: string;
  readonly secret: string;
  readonly redirectUrls: readonly string[];
}

/** It asks for PKCE. */
export async function startOpenIdProvider(clients: readonly OpenIdClient[]): Promise<OpenIdProvider> {
  const { default: Provider } = (await import("oidc-provider" as string)) as ProviderModule;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: clients.map(({ id, secret, redirectUrls }) => ({
      client_id: id,
      client_secret: secret,
      redirect_uris: redirectUrls,
      token_endpoint_auth_method: "client_secret_post",
      grant_types: ["authorization_code", "refresh_token"],
    })),
    cookies: { keys: ["of this test"] },
    pkce: { required: () => true },
  });
  const refused: string[] = [];
  provider.on("grant.error", (_context, error) => refused.push(error.error_description ?? error.message));
  const answer = provider.callback();
  if (answer) server.on("request", answer);
  return {
    port,
    issuer,
    refused,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What a browser keeps, host by host. */
export function createCookieJar() {
  const kept = new Map<string, string>();
  return {
    keep(lines: readonly string[]): void {
      for (const line of lines) {
        const [pair = ""] = line.split(";", 1);
        const name = pair.slice(0, pair.indexOf("="));
        const value = pair.slice(name.length + 1);
        if (/max-age=0|expires=thu, 01 jan 1970/i.test(line) || value === "deleted" || value === "") kept.delete(name);
        else kept.set(name, value);
      }
    },
    names: () => [...kept.keys()],
    header: () => [...kept].map(([name, value]) => `${name}=${value}`).join("; "),
  };
}

/** Logs in by the provider's own pages, beginning where Envoy has led, and gives the address to which it leads back. */
export async function logIn(address: string, user: string): Promise<string> {
  const jar = createCookieJar();
  const { origin } = new URL(address);
  let next = address;
  for (let step = 0; step < 12; step++) {
    const page = await fetch(next, { redirect: "manual", headers: { cookie: jar.header() } });
    jar.keep(page.headers.getSetCookie());
    const location = page.headers.get("location");
    if (location !== null) {
      const url = new URL(location, next);
      if (url.origin !== origin) return url.href;
      next = url.href;
      continue;
    }
    const html = await page.text();
    const action = /<form[^>]*action="([^"]+)"/.exec(html)?.[1];
    const prompt = /name="prompt" value="([^"]+)"/.exec(html)?.[1];
    if (action === undefined || prompt === undefined) throw new Error(`no form to fill in (${page.status}): ${html}`);
    const body = new URLSearchParams({ prompt, login: user, password: "any" });
    const sent = await fetch(new URL(action, next), {
      method: "POST",
      redirect: "manual",
      headers: { cookie: jar.header() },
      body,
    });
    jar.keep(sent.headers.getSetCookie());
    next = new URL(sent.headers.get("location") ?? "", next).href;
  }
  throw new Error("the provider leads in circles");
}
