// Another login (OpenID Connect), by others' code: a provider of its own on this machine, a console that takes it, and
// people who come by it in a browser.

import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

import { Provider } from "oidc-provider";

import { LOCALES, NARROW, openPage } from "./browser.mjs";
import { accessible, wellMade } from "./checks.mjs";
import { freePort, startServer } from "./server.mjs";

const SECRET = "a secret of the browser's tests";
const GROUPS = { ines: ["support"], grace: ["admins"], omar: ["sales"] };
/** Nobody's numbers and words are in this console. */
const NOTHING = { numbers: [], words: [] };

/** A page of the provider, where somebody chooses who they are. */
function chooser(uid) {
  const people = Object.keys(GROUPS).map((name) => `<button name="login" value="${name}">${name}</button>`);
  return `<!doctype html><html lang="en"><head><title>Velo ID</title><link rel="icon" href="data:,"></head><body>
<main><h1>Velo ID</h1><form method="post" action="/interaction/${uid}">${people.join(" ")}
<button name="login" value="">cancel</button></form></main></body></html>`;
}

/** The provider at that port, which sends people back to `origin`. */
async function startProvider(port, origin) {
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [
      {
        client_id: "entremise",
        client_secret: SECRET,
        redirect_uris: [`${origin}/console/login/oidc/back`],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
    ],
    claims: { openid: ["sub"], profile: ["name"], groups: ["groups"] },
    scopes: ["openid", "profile", "groups"],
    jwks: { keys: [{ ...key, use: "sig" }] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: `${id[0].toUpperCase()}${id.slice(1)} Elsewhere`, groups: GROUPS[id] }),
    }),
    // Nobody is asked whether the console may know them.
    async loadExistingGrant(context) {
      const { client, session } = context.oidc;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope("openid profile groups");
      await grant.save();
      return grant;
    },
  });
  const errors = [];
  provider.on("server_error", (_, error) => errors.push(error.stack));
  const answer = provider.callback();
  const server = createServer(async (request, response) => {
    if (!request.url.startsWith("/interaction/")) return answer(request, response);
    const { uid } = await provider.interactionDetails(request, response);
    if (request.method === "GET") {
      return response.writeHead(200, { "content-type": "text/html" }).end(chooser(uid));
    }
    let body = "";
    for await (const line of createInterface({ input: request })) body += line;
    const accountId = new URLSearchParams(body).get("login");
    const said = accountId ? { login: { accountId } } : { error: "access_denied" };
    return provider.interactionFinished(request, response, said, { mergeWithLastSubmission: false });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${port}`,
    errors,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What the console is told of it. */
function settings(port) {
  const group = (name, role) => `[[console.oidc.groups]]\ngroup = "${name}"\nrole = "${role}"\n`;
  return `[console.oidc]
issuer = "http://127.0.0.1:${port}"
client_id = "entremise"
client_secret = "${SECRET}"
label = "Velo ID"
scopes = ["profile", "groups"]

${group("support", "agent")}${group("admins", "admin")}`;
}

/** Presses the button, and is `who` there. */
async function comes(page, who) {
  await page.goto("/console/login");
  await page.getByRole("link", { name: "Log in with Velo ID" }).click();
  await page.getByRole("button", { name: who }).click();
}

/** Somebody by the other login, in a browser of their own. */
async function visit(browser, server, provider, faults, who, what, options = {}) {
  const { page, context, watch } = await openPage(browser, {
    origin: server.origin,
    faults,
    where: `another login: ${who}`,
    ...options,
  });
  watch.hosts.add(provider.host);
  const fine = async (where, language = "en") => {
    watch.where = `another login: ${where}`;
    await accessible(page, watch.where, faults);
    await wellMade(page, watch.where, faults, { language, secret: NOTHING });
  };
  await what({ page, watch, fine });
  await context.close();
}

/** An agent's group lets them in, as an agent. */
async function agent({ page, watch, fine }) {
  await page.goto("/console/login");
  await fine("the login page");
  await comes(page, "ines");
  await page.waitForURL((url) => url.pathname.startsWith("/console") && !url.pathname.includes("login"));
  await page.goto("/console/sessions");
  await page.getByRole("link", { name: "Velo Market" }).click();
  await page.getByRole("heading", { level: 1, name: "Sessions" }).waitFor();
  watch.expected.add(403);
  await page.goto("/console/staff");
  watch.expected.clear();
  await page.goto("/console/me");
  const text = await page.locator("main").innerText();
  assert.match(text, /by Velo ID/);
  assert.doesNotMatch(text, /Password/);
  await fine("their own page");
}

/** An admin proves again there who they are, though they are logged in there. */
async function admin({ page, fine }) {
  await comes(page, "grace");
  await page.waitForURL((url) => url.pathname.startsWith("/console") && !url.pathname.includes("login"));
  await page.goto("/console/prove?next=/console/staff");
  await fine("proves again");
  await page.getByRole("link", { name: "Log in again with Velo ID" }).click();
  await page.getByRole("button", { name: "grace" }).click();
  await page.waitForURL(/\/console\/staff$/);
  await page.getByRole("link", { name: "Ines Elsewhere" }).click();
  await page.getByText("Their groups at the other login say so").waitFor();
  await fine("somebody who comes by the other login");
  await page.goto("/console/prove");
  await page.getByRole("link", { name: "Log in again with Velo ID" }).click();
  await page.getByRole("button", { name: "ines" }).waitFor();
}

/** Who is in no group, or says no, stays out, and is told why. */
async function stranger({ page, watch, fine }) {
  watch.expected.add(403);
  await comes(page, "omar");
  await page.getByRole("alert").filter({ hasText: "none of your groups there opens this console" }).waitFor();
  await fine("no group");
  await page.context().clearCookies();
  await comes(page, "cancel");
  await page.getByRole("alert").filter({ hasText: "was cancelled there" }).waitFor();
  await fine("cancelled");
}

/** The same in French, on a telephone, in the dark. */
async function french({ page, watch, fine }) {
  await page.goto("/console/login");
  await fine("la page de connexion", "fr");
  watch.expected.add(403);
  await page.getByRole("link", { name: "Se connecter avec Velo ID" }).click();
  await page.getByRole("button", { name: "omar" }).click();
  await page.getByRole("alert").filter({ hasText: "aucun de vos groupes" }).waitFor();
  await fine("aucun groupe", "fr");
  await page.context().clearCookies();
  await page.goto("/console/login");
  await page.getByRole("link", { name: "Se connecter avec Velo ID" }).click();
  await page.getByRole("button", { name: "ines" }).click();
  await page.waitForURL((url) => url.pathname.startsWith("/console") && !url.pathname.includes("login"));
  await page.goto("/console/me");
  await page.getByText("par Velo ID").waitFor();
  await fine("sa page", "fr");
}

/** It takes no script of ours. */
async function withoutScripts({ page }) {
  await comes(page, "ines");
  await page.waitForURL((url) => url.pathname.startsWith("/console") && !url.pathname.includes("login"));
  await page.getByText("Velo Market").first().waitFor();
}

/** Everything about another login. */
export async function anotherLogin(program, browser, faults) {
  const port = await freePort();
  const server = await startServer(program, settings(port));
  let provider;
  try {
    provider = await startProvider(port, server.origin);
    await server.command("account", "create", "--name", "Velo Market");
    const as = (who, what, options) => visit(browser, server, provider, faults, who, what, options);
    await as("ines", agent);
    await as("grace", admin);
    await as("omar", stranger);
    await as("en français", french, { locale: LOCALES.fr, viewport: NARROW, colorScheme: "dark" });
    await as("without scripts", withoutScripts, { javaScriptEnabled: false });
    for (const error of provider.errors) faults.add("the provider", error);
  } catch (error) {
    console.error(server.log());
    throw error;
  } finally {
    provider?.stop();
    await server.stop();
  }
}
