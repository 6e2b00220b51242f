import { expect } from "@jest/globals";
import { createAuthority, type KeyPair } from "../harness/certificates.ts";
import { send } from "../harness/client.ts";
import { waitFor } from "../harness/waiting.ts";
import { authority, type PolicyWorld } from "./policies-world.ts";
import { STEP_LIMIT_MS } from "./world.ts";

/** As guides show mutual TLS: authorities in a Secret. */
const policy = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: {name: mutual, namespace: edge}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public, sectionName: https}]
  tls:
    clientValidation:
      caCertificateRefs: [{kind: Secret, group: "", name: clients}]
`;

const secretOf = (ca: KeyPair) =>
  JSON.stringify({
    ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "clients", namespace: "edge" } },
    stringData: { "ca.crt": ca.certificate },
  });

/** Clients of a listener whose policy names a Secret that is missing, made, edited, deleted and made again. */
export async function walkClientCertificates(world: PolicyWorld): Promise<void> {
  const [first, second] = [createAuthority("first clients"), createAuthority("second clients")];
  const [ann, bob] = [first, second].map((ca) => ca.issue({ dnsNames: ["client.test"], usage: "clientAuth" }));
  const address = await world.address("public");
  const statusFor = async (keyPair?: KeyPair) => {
    const tls = { servername: "plain.test", authority: authority.certificate, ...(keyPair && { keyPair }) };
    try {
      return (await send({ address, port: 443, host: "plain.test", tls })).status;
    } catch {
      return "refused";
    }
  };
  const until = (answers: readonly (number | string)[]) =>
    waitFor(
      `answers ${answers}`,
      async () => {
        const found = [await statusFor(ann), await statusFor(bob), await statusFor()];
        if (found.join() !== answers.join()) throw new Error(`answers ${found}`);
        return true;
      },
      STEP_LIMIT_MS,
    );
  await until([200, 200, 200]);
  await world.apply(policy);
  // Nobody is served because authorities are missing, and who asks over plain HTTP is none of their business.
  await until([500, 500, 500]);
  expect((await world.ask("public", "plain")).status).toBe(200);
  const missing = "caCertificateRefs[0] names Secret edge/clients, which does not exist";
  const status = () => world.kubectl("get", "ctp", "mutual", "-n", "edge", "-o", "json");
  await waitFor("the status", async () => (await status()).includes(missing), STEP_LIMIT_MS);
  await world.apply(secretOf(first));
  await until([200, "refused", "refused"]);
  await world.apply(secretOf(second));
  await until(["refused", 200, "refused"]);
  await world.kubectl("delete", "secret", "clients", "-n", "edge");
  await until([500, 500, 500]);
  await world.apply(secretOf(first));
  await until([200, "refused", "refused"]);
  await world.kubectl("delete", "ctp", "mutual", "-n", "edge");
  await until([200, 200, 200]);
}
