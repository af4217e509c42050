// What holds for every page of the console.

import axe from "axe-core";

export const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** The addresses of the pages that were looked at. */
export const looked = new Set();

/** Runs in the page: the rules that it breaks. */
async function broken(tags) {
  const options = { runOnly: tags, resultTypes: ["violations"], preload: false };
  const { violations } = await globalThis.axe.run(document, options);
  return violations.map(({ id, nodes }) => ({
    id,
    nodes: nodes.map((node) => `${node.target.join(" ")} ${node.html.slice(0, 160)}`),
  }));
}

/** The rules of axe with these tags that a page breaks. axe is put into a page once: that takes longer than a look. */
export async function violations(page, tags) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe.source);
  return page.evaluate(broken, tags);
}

/** What axe has to say of a page of the console. */
export async function accessible(page, where, faults) {
  for (const { id, nodes } of await violations(page, [...WCAG, "best-practice"])) {
    faults.add(where, `axe ${id} (${nodes.length}): ${nodes.slice(0, 3).join(" | ")}`);
  }
}

/** What a text has in common with what nobody may read, in any spelling of a number. */
export function leaks(text, { numbers, words }) {
  const bare = text.replaceAll(/[\s\u00a0\u202f().\-‑]/g, "");
  const found = numbers.filter((number) => bare.includes(number.slice(-9))).map(() => "a person's number");
  return found.concat(words.filter((word) => text.includes(word)).map((word) => `the words of a text (${word})`));
}

/** That a page is in that language, no wider than its window, and tells nobody's number or words. */
export async function wellMade(page, where, faults, { language, secret }) {
  looked.add(new URL(page.url()).pathname);
  const seen = await page.evaluate(() => ({
    lang: document.documentElement.lang,
    title: document.title,
    headings: document.querySelectorAll("h1").length,
    wide: document.documentElement.scrollWidth,
    shown: document.documentElement.clientWidth,
    html: document.documentElement.outerHTML,
  }));
  if (seen.lang !== language) faults.add(where, `lang is ${seen.lang}`);
  if (seen.title.startsWith(" ·")) faults.add(where, "no title");
  if (seen.headings !== 1) faults.add(where, `${seen.headings} h1`);
  if (seen.wide > seen.shown) faults.add(where, `${seen.wide} px wide in a window of ${seen.shown} px`);
  for (const words of leaks(seen.html, secret)) faults.add(where, `shows ${words}`);
}
