// Every page of the console, in both languages, light and dark, wide and narrow.

import { LOCALES, NARROW, WIDE, openPage } from "./browser.mjs";
import { accessible, leaks, wellMade } from "./checks.mjs";
import { reachesAll } from "./keyboard.mjs";
import { kind, walk } from "./pages.mjs";

/** Pages are looked at by so many at once. */
const AT_ONCE = 2;

/** The pages that somebody's links lead to. What is no page must tell no secret either. */
export async function pagesOf(server, faults, person, starts, secret) {
  const cookie = person.cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  const get = async (path) => {
    const response = await fetch(server.api + path, { redirect: "manual", headers: { cookie, "accept-language": "en" } });
    const text = await response.text();
    const type = response.headers.get("content-type") ?? "";
    return { status: response.status, location: response.headers.get("location"), type, text };
  };
  const fault = (path, words) => faults.add(`${person.name} at ${path}`, words);
  const { pages, files } = await walk(server.api, starts, get, fault);
  for (const { path, text } of files) {
    for (const words of leaks(text, secret)) fault(path, `has ${words}`);
  }
  return pages;
}

/** One page in one language, each scheme at each width; what can be opened is closed at first, and open then. */
async function look(page, watch, faults, visit, secret) {
  const { who, path, language, views } = visit;
  watch.where = `${who} at ${path} (${language})`;
  await page.goto(path);
  for (const [size, colorScheme] of views) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const where = `${who} at ${path} (${language}, ${size.width} px, ${colorScheme})`;
    await accessible(page, where, faults);
    await wellMade(page, where, faults, { language, secret });
    await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
  }
}

/** Each scheme at each width. */
const VIEWS = [WIDE, NARROW].flatMap((size) => ["light", "dark"].map((scheme) => [size, scheme]));

/** What is to be looked at, in which language and how: whole, or between them once in each language, scheme and width. */
function visits({ person, pages, known }) {
  const of = (path, language, views) => ({ person, who: person.name, path, language, views });
  const whole = pages.filter((path, at) => pages.findIndex((other) => bare(other) === bare(path)) === at);
  const again = pages.filter((path) => !whole.includes(path));
  return [
    ...whole.map((path) => of(path, "en", VIEWS)),
    ...again.map((path) => of(path, "en", [[WIDE, "light"]])),
    ...known.map((path) => of(path, "en", [[NARROW, "dark"]])),
    ...whole.map((path) => of(path, "fr", VIEWS)),
    ...again.map((path) => of(path, "fr", [[NARROW, "dark"]])),
  ];
}

/** The kind of a page, however its list is narrowed. */
function bare(path) {
  return kind(path).split("?")[0];
}

/**
 * Looks at pages of several people.
 *
 * @param {{person, pages: string[], known: string[]}[]} people the first of each kind in `pages` is looked at in every
 *   way, its like in some; `known` has pages of which others have the like
 */
export async function every(browser, server, faults, people, secret) {
  const work = people.flatMap(visits);
  let next = 0;
  const worker = async () => {
    let opened = null;
    for (let at = next++; at < work.length; at = next++) {
      const { person, path, language } = work[at];
      // One context for each person and language, until another is needed.
      if (opened?.person !== person || opened.language !== language) {
        await opened?.context.close();
        const options = { origin: server.origin, faults, where: path, cookies: person.cookies };
        opened = { person, language, ...(await openPage(browser, { ...options, locale: LOCALES[language] })) };
      }
      try {
        await look(opened.page, opened.watch, faults, work[at], secret);
      } catch (error) {
        faults.add(opened.watch.where, error.message.split("\n")[0]);
      }
    }
    await opened?.context.close();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Tabs through one page of each kind, wide and narrow. */
export async function tabThrough(browser, server, faults, { person, pages }) {
  const kinds = new Map(pages.map((path) => [kind(path), path]));
  const paths = [...kinds.values()];
  const worker = async (size) => {
    const options = { origin: server.origin, faults, where: "keyboard", cookies: person.cookies, viewport: size };
    const { page, context, watch } = await openPage(browser, options);
    for (const path of paths) {
      watch.where = `keyboard at ${path} (${size.width} px)`;
      await page.goto(path);
      await reachesAll(page, watch.where, faults);
    }
    await context.close();
  };
  await Promise.all([worker(WIDE), worker(NARROW)]);
}
