// The browser: one for all tests, and pages in it that notice what goes wrong on them.

import { chromium } from "playwright-core";

export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 390, height: 844 };
/** As a reader's browser asks for them. */
export const LOCALES = { en: "en-GB", fr: "fr-FR" };

/** Starts the browser that the machine has. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** What went wrong, each with where. */
export class Faults {
  constructor() {
    this.list = [];
  }

  add(where, words) {
    const line = `${where}: ${words}`;
    if (!this.list.includes(line)) this.list.push(line);
  }
}

/**
 * A page in a context of its own. Whatever the browser complains of is a fault: errors, requests that fail, requests
 * to other hosts than `hosts`. `expected` lets answers of that status be.
 */
export async function openPage(browser, { origin, faults, where, cookies = [], ...options }) {
  const context = await browser.newContext({
    baseURL: origin,
    reducedMotion: "reduce",
    viewport: WIDE,
    locale: LOCALES.en,
    ...options,
  });
  if (cookies.length > 0) await context.addCookies(cookies);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const watch = { where, expected: new Set(), hosts: new Set([new URL(origin).host]) };
  page.on("console", (message) => {
    if (!["error", "warning"].includes(message.type())) return;
    // The browser itself says so of an answer that a test asks for.
    const status = /the server responded with a status of (\d+)/.exec(message.text())?.[1];
    if (!watch.expected.has(Number(status))) faults.add(watch.where, `console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.add(watch.where, `script: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && !watch.hosts.has(url.host)) faults.add(watch.where, `request off the host: ${url.host}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400 && !watch.expected.has(response.status())) {
      faults.add(watch.where, `${response.status()} for ${new URL(response.url()).pathname}`);
    }
  });
  page.on("requestfailed", (request) => {
    // A page that is left ends its live stream.
    if (request.failure()?.errorText === "net::ERR_ABORTED") return;
    faults.add(watch.where, `${request.failure()?.errorText} for ${new URL(request.url()).pathname}`);
  });
  return { page, context, watch };
}
