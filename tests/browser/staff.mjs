// Staff of the console: how they come in, as they would in a browser.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The six digits that an app shows at that time (RFC 6238), from its key in base32. */
function appCode(secret, ms) {
  let bits = "";
  for (const letter of secret.replaceAll(/[\s=]/g, "")) {
    bits += ALPHABET.indexOf(letter).toString(2).padStart(5, "0");
  }
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(ms / 30_000)));
  const hash = createHmac("sha1", key).update(step).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Somebody's authenticator app. It shows each code to its owner once, as the console takes each once. */
class App {
  constructor(secret) {
    this.secret = secret;
    this.last = 0;
  }

  async code() {
    // One step ahead of the clock counts as now: nobody waits for the second code.
    const step = Math.max(Math.floor(Date.now() / 30_000), this.last + 1);
    const ahead = (step - 1) * 30_000 - Date.now();
    if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead + 250));
    this.last = step;
    return appCode(this.secret, step * 30_000);
  }
}

/** One of the staff. */
export class Person {
  constructor(server, name, link) {
    Object.assign(this, { server, name, link, password: null, app: null, codes: [] });
  }

  /** Lets somebody in, by command. */
  static async create(server, name, role, ...more) {
    const words = ["--name", name, ...(role ? ["--role", role] : []), ...more];
    const link = await server.command("staff", "create", ...words);
    return new Person(server, name, new URL(link).hash);
  }

  /** Comes by the one-time link. */
  async byLink(page) {
    await page.goto(`/console/login${this.link}`);
    await page.waitForURL((url) => !url.pathname.startsWith("/console/login"));
    assert.equal(new URL(page.url()).hash, "", "the link's code is still in the address bar");
  }

  /** Sets a password, or another one. */
  async setPassword(page, password) {
    await page.goto("/console/me/password");
    const present = page.locator("#present");
    if (await present.count()) await present.fill(this.password);
    await page.locator("#password").fill(password);
    await page.locator("form:has(#password) button[type=submit]").click();
    await page.waitForURL(/\/console\/me\?done=password$/);
    this.password = password;
  }

  /** Adds an app and keeps the recovery codes. */
  async addApp(page) {
    await page.goto("/console/me/app");
    this.app = new App(await page.locator("#secret").innerText());
    await page.locator("#code").fill(await this.app.code());
    await page.locator("form:has(#code) button[type=submit]").click();
    this.codes = await page.locator("#codes li").allInnerTexts();
    assert.equal(this.codes.length, 10, "there are ten recovery codes");
  }

  /** Types name and password, then a code of the app or, with `recovery`, of the paper; `second` is called between. */
  async logIn(page, { recovery = false, second } = {}) {
    await page.goto("/console/login");
    await page.locator("#name").fill(this.name);
    await page.locator("#password").fill(this.password);
    await page.locator("form:has(#password) button[type=submit]").click();
    if (this.app) {
      await page.waitForURL(/\/console\/login\/code/);
      await second?.();
      await page.locator("#code").fill(recovery ? this.codes.shift() : await this.app.code());
      await page.locator("form:has(#code) button[type=submit]").click();
    }
    await page.waitForURL((url) => !url.pathname.startsWith("/console/login"));
  }

  async logOut(page) {
    await page.locator('form[action="/console/logout"] button').click();
    await page.waitForURL(/\/console\/login\?logged_out$/);
  }
}
