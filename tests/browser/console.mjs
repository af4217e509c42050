// Looks at every page of the console in a real browser, after a real scenario.
//
//   npm ci && node console.mjs ../../target/debug/entremise
//
// Ends with status 1 and says what was wrong.

import path from "node:path";

import { looked } from "./checks.mjs";
import { Faults, launch } from "./browser.mjs";
import { every, pagesOf, tabThrough } from "./every.mjs";
import { forced, logins, settle } from "./logins.mjs";
import { anotherLogin } from "./oidc.mjs";
import { kind } from "./pages.mjs";
import { passkeys } from "./passkeys.mjs";
import { routes } from "./routes.mjs";
import { play } from "./scenario.mjs";
import { startServer } from "./server.mjs";
import { Person } from "./staff.mjs";
import { story } from "./story.mjs";

const program = process.argv[2];
if (!program) {
  console.error("usage: node console.mjs <path of the debug build>");
  process.exit(2);
}

const began = Date.now();
const faults = new Faults();

async function step(words, what) {
  const from = Date.now();
  const result = await what();
  console.log(`  ${words}: ${((Date.now() - from) / 1000).toFixed(1)} s`);
  return result;
}

/** Staff of each role; the admin is of every account, and the others of the market alone. */
function hire(browser, server, market) {
  const own = ["--account", market.id];
  const wanted = [
    ["Ada Admin", null],
    ["Sam Supervisor", "supervisor", ...own],
    ["Ann Agent", "agent", ...own],
    ["Vic Viewer", "viewer", ...own],
    ["Abe Auditor", "auditor", ...own],
  ];
  return wanted.reduce(async (before, [name, role, ...more]) => {
    const hired = await before;
    const person = await Person.create(server, name, role, ...more);
    return [...hired, await settle(browser, server, faults, person)];
  }, Promise.resolve([]));
}

/** The pages of each: those of a kind that nobody before has, and one of each `known` kind. */
async function pagesOfAll(server, people, { market, sessions, secret }) {
  const starts = ["/console", `/console/sessions?account=${market.id}`, "/console/prove"];
  for (const { id } of Object.values(sessions)) starts.push(`/console/sessions/${id}?account=${market.id}`);
  const kinds = new Set();
  const found = [];
  for (const person of people) {
    const all = await pagesOf(server, faults, person, person === people[0] ? starts : ["/console", "/console/me"], secret);
    const pages = all.filter((page) => !kinds.has(kind(page)));
    const known = new Map(all.filter((page) => kinds.has(kind(page))).map((page) => [kind(page), page]));
    for (const page of pages) kinds.add(kind(page));
    found.push({ person, pages, known: [...known.values()] });
  }
  for (const one of kinds) console.log(`    ${one}`);
  return found;
}

/** Routes of pages that no browser stays on: they lead elsewhere at once, or are no pages. */
const NO_PAGES = [
  "/console",
  "/console/",
  "/console/assets/{name}",
  "/console/login/oidc",
  "/console/overview/live",
  "/console/prove/oidc",
];
/** Pages that are there only once a list has more than 10,000 rows. */
const LONG_LISTS = ["/console/exports/{id}", "/console/audit/exports/{id}"];

/** That each page that the router has was looked at. */
function nothingLeftOut() {
  const pages = routes().filter((route) => ![...NO_PAGES, ...LONG_LISTS].includes(route));
  if (pages.length < 10) faults.add("routes", `only ${pages.length} pages are found in the router`);
  for (const route of pages) {
    const like = new RegExp(`^${route.replaceAll(/\{\*?\w+\}/g, "[^/]+")}$`);
    if (![...looked].some((path) => like.test(path))) faults.add(route, "no link leads to it, and nothing looked at it");
  }
}

let server;
let browser;
try {
  [server, browser] = await Promise.all([startServer(path.resolve(program)), launch()]);
  const played = await step("scenario", () => play(server));
  const people = await step("staff", () => hire(browser, server, played.market));
  const [admin] = people;
  const { secret } = played;
  // First, so that what it leaves behind is looked at as well.
  await step("story", () => story(browser, server, faults, played));
  // Codes of an app make whoever logs in wait: beside everything else.
  const comings = step("logins", async () => {
    const person = await logins(browser, server, faults, played);
    await forced(browser, server, faults, { admin, person, secret });
    await passkeys(browser, server, faults);
    await anotherLogin(path.resolve(program), browser, faults);
  }).catch((error) => faults.add("logins", error.stack));
  const found = await step("links", () => pagesOfAll(server, people, played));
  await step("keyboard", () => tabThrough(browser, server, faults, found[0]));
  await step("every page", () => every(browser, server, faults, found, secret));
  await comings;
  nothingLeftOut();
} catch (error) {
  faults.add("stopped", error.stack ?? error.message);
} finally {
  await browser?.close();
  if (faults.list.length > 0 && server) console.error(server.log());
  await server?.stop();
}
for (const fault of faults.list) console.error(fault);
if (faults.list.length > 0) {
  console.error(`${faults.list.length} faults`);
  process.exitCode = 1;
} else {
  console.log(`The console's pages are fine (${Math.round((Date.now() - began) / 1000)} s).`);
}
