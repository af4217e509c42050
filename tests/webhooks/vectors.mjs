// The carriers' own libraries check the webhooks that our tests take as signed by each: what we take,
// they take, and neither takes it with a byte changed.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { parse } from "smol-toml";

const require = createRequire(import.meta.url);
const twilio = require("twilio");
const { validateV3Signature } = require("plivo/dist/utils/v3Security.js");
const { TelnyxWebhook } = require("telnyx/lib/webhooks.js");
const { verifySignature } = require("@vonage/jwt");
const sinch = require("@sinch/sdk-core");
const { WebhookResponse } = require("@jambonz/node-client");
const jambonz = require("@jambonz/verb-specifications");

const root = new URL("../../fixtures/", import.meta.url);

/** A captured webhook: the method, the whole address, headers by lower-case name, and the body. */
function read(path, origin) {
  const bytes = readFileSync(path);
  const at = bytes.indexOf("\n\n");
  const crlf = bytes.indexOf("\r\n\r\n");
  const [head, body] =
    crlf >= 0 && (at < 0 || crlf < at)
      ? [bytes.subarray(0, crlf), bytes.subarray(crlf + 4)]
      : [bytes.subarray(0, at), bytes.subarray(at + 2)];
  const [first, ...lines] = head.toString().split(/\r?\n/);
  const [method, target] = first.split(" ");
  const headers = {};
  for (const line of lines) {
    const cut = line.indexOf(":");
    headers[line.slice(0, cut).toLowerCase()] = line.slice(cut + 1).trim();
  }
  return { method, url: origin + target, headers, body: body.toString() };
}

/** The parameters of a form: a name that is there twice has a list. */
function form(body) {
  const fields = {};
  for (const [name, value] of new URLSearchParams(body)) {
    fields[name] = name in fields ? [fields[name], value].flat() : value;
  }
  return fields;
}

/** For each carrier whether its library takes a webhook; undefined for what the library can't check. */
const carriers = {
  twilio({ headers, url, body }, { auth_token, auth_token_secondary }) {
    // The library knows no shared keys.
    if (headers["x-twilio-webhooks-signature-settings"]) return undefined;
    const signature = headers["x-twilio-signature"];
    return [auth_token, auth_token_secondary].some((token) =>
      url.includes("bodySHA256=")
        ? twilio.validateRequestWithBody(token, signature, url, body)
        : twilio.validateRequest(token, signature, url, form(body)),
    );
  },
  plivo({ method, headers, url, body }, { auth_token, auth_token_secondary }) {
    const nonce = headers["x-plivo-signature-v3-nonce"];
    const signatures = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"].map((name) => headers[name]);
    const parameters = method === "POST" ? form(body) : {};
    return signatures
      .filter(Boolean)
      .some((signature) =>
        [auth_token, auth_token_secondary].some((token) =>
          validateV3Signature(method, url, nonce, token, signature, parameters),
        ),
      );
  },
  async telnyx({ headers, body }, { public_key }) {
    // The library takes text.
    if (body.includes("\ufffd")) return undefined;
    try {
      await new TelnyxWebhook(public_key.replace(/=*$/, "=")).verify(body, headers);
      return true;
    } catch {
      return false;
    }
  },
  vonage({ method, headers, body }, { signature_secret, signature_secret_secondary }) {
    const token = headers.authorization?.replace(/^Bearer /, "");
    const secrets = [signature_secret, signature_secret_secondary];
    if (!token || !secrets.some((secret) => secret && verifySignature(token, secret))) return false;
    // The library leaves the body to its caller.
    const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
    const hash = createHash("sha256").update(body).digest("hex");
    return method === "GET" || claims.payload_hash === hash;
  },
  sinch({ method, headers, url, body }, settings) {
    const secrets = [settings.sms_webhook_secret, settings.sms_webhook_secret_secondary];
    if (headers["x-sinch-webhook-signature"]) {
      return secrets.some((secret) => sinch.validateWebhookSignature(secret, headers, body));
    }
    const { application_key, application_secret } = settings;
    const path = new URL(url).pathname;
    return sinch.validateAuthenticationHeader(application_key, application_secret, headers, body, path, method);
  },
  jambonz({ headers, body }, { webhook_secret, webhook_secret_secondary }) {
    const check = WebhookResponse.verifyJambonzSignature([webhook_secret, webhook_secret_secondary]);
    const request = { get: (name) => headers[name.toLowerCase()], body: Buffer.from(body) };
    let taken = false;
    try {
      check(request, {}, () => (taken = true));
    } catch {
      return false;
    }
    return taken;
  },
};

/** What a carrier's library signs a webhook with; of the others' none signs, they only check. */
const signers = {
  twilio({ headers, url, body }, { auth_token, auth_token_secondary }) {
    if (headers["x-twilio-webhooks-signature-settings"]) return undefined;
    const parameters = url.includes("bodySHA256=") ? {} : form(body);
    // Twilio signs some addresses with their port.
    const addresses = [url, url.replace(/^(https:\/\/[^/:]+)\//, "$1:443/")];
    const made = [auth_token, auth_token_secondary].flatMap((token) =>
      addresses.map((address) => twilio.getExpectedTwilioSignature(token, address, parameters)),
    );
    return made.includes(headers["x-twilio-signature"]);
  },
};

/** The carrier's folder, and one inside for each other dialect that its settings make of it. */
function folders(name) {
  const inside = readdirSync(new URL(`${name}/`, root), { withFileTypes: true });
  const names = inside.filter((entry) => entry.isDirectory()).map((entry) => `${name}/${entry.name}`);
  return [name, ...names].map((path) => [path, new URL(`${path}/`, root)]);
}

let failed = 0;

async function check(name, folder, takes, signs) {
  const facts = parse(readFileSync(new URL("carrier.toml", folder), "utf8"));
  Date.now = () => Number(facts.now);
  const cases = readdirSync(folder).filter(
    (file) => file.endsWith(".http") && !/\.(response|list|number)\.http$/.test(file),
  );
  const counts = { taken: 0, "not checked": 0, forged: 0 };
  for (const file of cases) {
    const webhook = read(new URL(file, folder), facts.public_url);
    const taken = await takes(webhook, facts.settings);
    if (taken === undefined) {
      counts["not checked"] += 1;
      continue;
    }
    counts.taken += 1;
    if (!taken) {
      failed += 1;
      console.error(`${name}: the library refuses ${file}`);
    }
    const signed = signs?.(webhook, facts.settings);
    if (signed !== undefined) counts.signed = (counts.signed ?? 0) + 1;
    if (signed === false) {
      failed += 1;
      console.error(`${name}: the library signs ${file} otherwise`);
    }
    // A question that is got has no body: there it is the token that counts.
    const changed = webhook.body ? { body: `${webhook.body}x` } : { headers: {} };
    counts.forged += 1;
    if (await takes({ ...webhook, ...changed }, facts.settings)) {
      failed += 1;
      console.error(`${name}: the library takes ${file} with a byte more`);
    }
  }
  if (counts.taken === 0 || counts["not checked"] > counts.taken) failed += 1;
  if (signs && !counts.signed) failed += 1;
  console.log(`${name}: ${JSON.stringify(counts)}`);
}

for (const [name, takes] of Object.entries(carriers)) {
  for (const [path, folder] of folders(name)) await check(path, folder, takes, signers[name]);
}

// jambonz's own specification of its verbs takes each document that we answer with, and refuses it with
// a field that it does not know.
const snapshot = new URL("../snapshots/carriers__jambonz__answers.snap", import.meta.url);
const documents = readFileSync(snapshot, "utf8").split("\n").filter((line) => line.startsWith("["));
const log = { info() {} };
for (const text of documents) {
  const verbs = JSON.parse(text);
  try {
    jambonz.validate(log, verbs);
  } catch (error) {
    failed += 1;
    console.error(`jambonz: ${error.message}: ${text}`);
  }
  try {
    jambonz.validate(log, [{ ...verbs[0], callerIdent: "x" }]);
    failed += 1;
    console.error(`jambonz: an unknown field is taken: ${text}`);
  } catch {
    // As it should be.
  }
}
if (documents.length < 15) failed += 1;
console.log(`jambonz: ${documents.length} documents of verbs`);
process.exitCode = failed ? 1 : 0;
