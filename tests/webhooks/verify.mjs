// Checks signed.json: v1 by the standard's own library, v1a by Node's Ed25519, and that both refuse
// what was altered.
import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { mock } from "node:test";
import { Webhook } from "standardwebhooks";

const sample = JSON.parse(readFileSync(new URL("signed.json", import.meta.url), "utf8"));
// The library refuses what is older than five minutes.
mock.timers.enable({ apis: ["Date"], now: sample.timestamp * 1000 });

const headers = {
  "webhook-id": sample.id,
  "webhook-timestamp": String(sample.timestamp),
  "webhook-signature": sample.signature,
};
const v1 = new Webhook(sample.secret);
assert.deepEqual(v1.verify(sample.body, headers), JSON.parse(sample.body));
assert.throws(() => v1.verify(`${sample.body} `, headers));
assert.throws(() => v1.verify(sample.body, { ...headers, "webhook-id": "EV0" }));
assert.throws(() => v1.verify(sample.body, { ...headers, "webhook-timestamp": String(sample.timestamp + 1) }));

const raw = Buffer.from(sample.public_key.slice("whpk_".length), "base64");
const jwk = { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") };
const key = createPublicKey({ key: jwk, format: "jwk" });
const good = (body) => {
  const content = Buffer.from(`${sample.id}.${sample.timestamp}.${body}`);
  return sample.signature
    .split(" ")
    .filter((one) => one.startsWith("v1a,"))
    .some((one) => verify(null, content, key, Buffer.from(one.slice("v1a,".length), "base64")));
};
assert.ok(good(sample.body));
assert.ok(!good(`${sample.body} `));
console.log("webhooks: v1 and v1a are good, and what was altered is not");
