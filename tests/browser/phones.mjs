// Drives the two-phones page of a running `entremise demo` in a real browser.
//
//   npm ci && node phones.mjs http://127.0.0.1:8080 [folder for pictures]
//
// Ends with status 1 and says what was wrong if the page does not do what it must.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";

import { launch } from "./browser.mjs";
import { WCAG, violations } from "./checks.mjs";

const base = process.argv[2]?.replace(/\/$/, "");
const pictures = process.argv[3];
if (!base) {
  console.error("usage: node phones.mjs <base address> [folder for pictures]");
  process.exit(2);
}
if (pictures) mkdirSync(pictures, { recursive: true });

const WAIT = 10_000;
/** One red pixel. */
const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC",
  "base64",
);
const browser = await launch();

const faults = [];

async function open(options) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT);
  const host = new URL(base).host;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.host !== host) faults.push(`request off the host: ${url}`);
  });
  await page.goto(`${base}/sandbox`);
  await page.locator("#link[data-state=live]").waitFor();
  return page;
}

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
}

async function accessible(page, where) {
  for (const { id, nodes } of await violations(page, WCAG)) faults.push(`${where}: ${id}: ${nodes.join(" | ")}`);
}

async function noSidewaysScroll(page, where) {
  const [wide, shown] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(wide <= shown, `${where}: the page is ${wide} px wide in a window of ${shown} px`);
}

/** One of the phones on a page. */
class Phone {
  constructor(page, place) {
    this.root = page.locator("#phones > .phone").nth(place);
    this.page = page;
    this.words = this.root.getByRole("textbox", { name: /^Message from/ });
    this.to = this.root.getByRole("textbox", { name: "To" });
    this.panel = this.root.locator("[data-call]");
  }

  button(name) {
    return this.root.getByRole("button", { name, exact: true });
  }

  async number() {
    return (await this.root.locator("[data-number]").innerText()).replaceAll(" ", "");
  }

  async received(text) {
    await this.root.locator(".bubble:not(.out)", { hasText: text }).last().waitFor();
  }

  /** The number that the last heading of the conversation names. */
  async lastFrom() {
    return (await this.root.locator(".sep b").last().innerText()).replaceAll(" ", "");
  }

  async stage(words) {
    await this.panel.locator("[data-stage]", { hasText: words }).waitFor();
  }

  /** Answers, and takes the call with key 1 if it is asked to. */
  async takeCall() {
    await this.stage("Connected");
    const asked = this.panel.locator(".question");
    const talking = this.panel.getByText("You hear each other");
    await asked.or(talking).first().waitFor();
    if (await asked.isVisible()) {
      await this.button("1").focus();
      await this.page.keyboard.press("Enter");
    }
    await talking.waitFor();
  }

  async free() {
    await this.panel.waitFor({ state: "hidden" });
  }
}

/** Tabs on until `target` has the focus. */
async function tabTo(page, target) {
  for (let step = 0; step < 80; step++) {
    if (await target.evaluate((node) => node === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the keyboard does not reach ${target}`);
}

/** A text there, a call back, with the keyboard alone. */
async function converse(page, mark) {
  const [buyer, seller] = [new Phone(page, 0), new Phone(page, 1)];
  const own = { buyer: await buyer.number(), seller: await seller.number() };

  await tabTo(page, buyer.words);
  await page.keyboard.type(`Is the bike still there? ${mark}`);
  await page.keyboard.press("Enter");
  await seller.received(`Is the bike still there? ${mark}`);
  const proxy = await seller.lastFrom();
  assert.notEqual(proxy, own.buyer, "the seller sees the buyer's own number");
  assert.equal((await seller.to.inputValue()).replaceAll(" ", ""), proxy, "the way back");
  await picture(page, `${mark}-text`);

  await tabTo(page, seller.button("Call"));
  await page.keyboard.press("Enter");
  await buyer.stage("Incoming call");
  const shown = (await buyer.panel.locator("[data-other]").innerText()).replaceAll(" ", "");
  assert.notEqual(shown, own.seller, "the buyer sees the seller's own number");
  await seller.panel.getByText("It rings at the other end").waitFor();
  await picture(page, `${mark}-ringing`);
  await accessible(page, `${mark}, ringing`);

  await tabTo(page, buyer.button("Answer"));
  await page.keyboard.press("Enter");
  await buyer.takeCall();
  await seller.panel.getByText("You hear each other").waitFor();
  await tabTo(page, seller.button("Keypad"));
  await page.keyboard.press("Enter");
  await tabTo(page, seller.button("5"));
  await page.keyboard.press("Enter");
  await buyer.panel.getByText("Key 5 from the other side").waitFor();
  await picture(page, `${mark}-connected`);
  await accessible(page, `${mark}, connected`);

  await tabTo(page, buyer.button("Hang up"));
  await page.keyboard.press("Enter");
  await Promise.all([buyer.free(), seller.free()]);
  await seller.root.locator(".event", { hasText: "Call" }).last().waitFor();
  assert.ok(await buyer.words.evaluate((node) => node === document.activeElement), "focus is lost");

  // A picture, chosen with the keyboard alone: both phones show it, the seller from the relay's address.
  const before = await seller.root.getByRole("img", { name: "Picture that you got" }).count();
  const choosing = page.waitForEvent("filechooser");
  await tabTo(page, buyer.button("Send a picture"));
  await page.keyboard.press("Enter");
  await (await choosing).setFiles({ name: "bike.png", mimeType: "image/png", buffer: PICTURE });
  const got = seller.root.getByRole("img", { name: "Picture that you got" }).nth(before);
  await got.waitFor();
  await page.waitForFunction((image) => image.complete && image.naturalWidth > 0, await got.elementHandle());
  assert.match(await got.getAttribute("src"), /^\/media\//, "the picture is not at the relay's address");
  await buyer.root.getByRole("img", { name: "Picture that you sent" }).nth(before).waitFor();
  await picture(page, `${mark}-picture`);

  for (const phone of [buyer, seller]) {
    await phone.root.locator(".knows .good").first().waitFor();
    assert.equal(await phone.root.locator(".knows .bad").count(), 0, "a phone saw a real number");
  }
  await picture(page, `${mark}-after`);
  await accessible(page, `${mark}, after`);
  await noSidewaysScroll(page, mark);
}

async function declineAndFaults(page) {
  const [buyer, seller] = [new Phone(page, 0), new Phone(page, 1)];
  await buyer.button("Call").click();
  await seller.stage("Incoming call");
  await seller.button("Decline").click();
  await Promise.all([buyer.free(), seller.free()]);
  await seller.root.locator(".event", { hasText: "Declined" }).waitFor();

  await buyer.to.fill("12");
  await buyer.words.fill("Hello");
  await buyer.words.press("Enter");
  await buyer.root.getByText("A number is a plus sign and 7 to 15 digits.").waitFor();
  assert.equal(await buyer.words.inputValue(), "Hello", "what was typed is kept");
}

/** A page that lost its stream shows what it missed once it is back. */
async function reconnects(page) {
  const [buyer, seller] = [new Phone(page, 0), new Phone(page, 1)];
  const to = await buyer.root.locator("[data-contacts] button").first().getAttribute("data-contact");
  await page.context().setOffline(true);
  const before = faults.length;
  const answer = await fetch(`${base}/sandbox/api/phones/p1/text`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ to, text: "sent while you were away" }),
  });
  assert.equal(answer.status, 200);
  await page.context().setOffline(false);
  await page.reload();
  await seller.received("sent while you were away");
  // A browser that is cut off complains of that on purpose.
  faults.length = before;
}

try {
  const dark = await open({ viewport: { width: 1280, height: 900 }, colorScheme: "dark" });
  await converse(dark, "wide-dark");
  await dark.context().close();
  const light = await open({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  await converse(light, "wide-light");
  await declineAndFaults(light);
  await reconnects(light);
  await light.context().close();
  const narrow = await open({ viewport: { width: 390, height: 844 }, colorScheme: "light" });
  await converse(narrow, "narrow");
  await narrow.context().close();
  assert.deepEqual(faults, []);
  console.log("The two phones work.");
} catch (error) {
  console.error(error.message);
  for (const fault of faults) console.error(fault);
  process.exitCode = 1;
} finally {
  await browser.close();
}
