// Which pages there are: what the links of the console lead to, for somebody who is logged in. A new page is found
// by itself as soon as another one links to it.

/** How many pages of one kind are looked at; what fills them differs. A list that is narrowed is one like the other. */
const OF_A_KIND = 3;
const NARROWED = 1;
/** By how many filters at once a list is narrowed. */
const FILTERS_MAX = 2;
/** A crawl that finds more is lost. */
const REQUESTS_MAX = 600;

const ENTITIES = { amp: "&", quot: '"', "#39": "'", "#x27": "'", "#38": "&", "#34": '"' };

function decode(text) {
  return text.replaceAll(/&(amp|quot|#39|#x27|#38|#34);/g, (_, name) => ENTITIES[name]);
}

/** The kind of a page: its address without what is of one thing only. */
export function kind(path) {
  const url = new URL(path, "http://console");
  const parts = url.pathname.split("/").map((part) => (/^[A-Z]{2}[0-9a-f]{8,}/.test(part) ? "…" : part));
  const names = [...new Set(url.searchParams.keys())].filter((name) => name !== "account").sort();
  return parts.join("/") + (names.length > 0 ? `?${names.join("&")}` : "");
}

function most(one) {
  const filters = one.split("?")[1]?.split("&").length ?? 0;
  if (filters > FILTERS_MAX) return 0;
  return filters > 0 ? NARROWED : OF_A_KIND;
}

/** The addresses in the console that a page links to, also by what its forms for looking would ask. */
function links(html, base) {
  const found = [];
  for (const [, quoted] of html.matchAll(/<a\b[^>]*?\shref="([^"]*)"/g)) found.push(decode(quoted));
  for (const [, head, body] of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)) {
    if (!/\smethod="get"/.test(head)) continue;
    const asks = new URL(decode(/\saction="([^"]*)"/.exec(head)?.[1] ?? ""), base);
    for (const [field] of body.matchAll(/<input\b[^>]*type="hidden"[^>]*>/g)) {
      const [name, value] = ["name", "value"].map((key) => new RegExp(`\\s${key}="([^"]*)"`).exec(field)?.[1] ?? "");
      asks.searchParams.set(decode(name), decode(value));
    }
    // A choice as it would be made: the last of the first field to choose from, which few rows fit.
    const [, name, choices] = /<select\b[^>]*\sname="([^"]*)"[^>]*>([\s\S]*?)<\/select>/.exec(body) ?? [];
    const last = choices && [...choices.matchAll(/<option\b[^>]*\svalue="([^"]*)"/g)].at(-1)?.[1];
    if (last) asks.searchParams.set(decode(name), decode(last));
    found.push(asks.href);
  }
  return found
    .map((link) => new URL(link, base))
    .filter((url) => url.origin === base.origin && /^\/console(\/|$)/.test(url.pathname))
    .filter((url) => !url.pathname.startsWith("/console/assets/"))
    .map((url) => url.pathname + url.search);
}

/**
 * Walks the links from `starts`.
 *
 * @param {(path: string) => Promise<{status: number, location: string | null, type: string, text: string}>} get
 *   asks for one address as that person, following nothing
 * @param {(path: string, words: string) => void} fault told of links that lead nowhere
 * @returns `pages`, the addresses of pages with content, and `files`, of what is no page, such as exports
 */
export async function walk(origin, starts, get, fault) {
  const base = new URL(origin);
  const [pages, files, counts, seen] = [[], [], new Map(), new Set()];
  const waiting = starts.map((path) => [path, "the start"]);
  for (let requests = 0; waiting.length > 0; requests++) {
    const [path, from] = waiting.shift();
    if (seen.has(path)) {
      requests--;
      continue;
    }
    seen.add(path);
    const count = counts.get(kind(path)) ?? 0;
    if (count >= most(kind(path)) && !starts.includes(path)) continue;
    if (requests > REQUESTS_MAX) {
      fault(path, `more than ${REQUESTS_MAX} pages`);
      break;
    }
    const answer = await get(path);
    if (answer.status >= 300 && answer.status < 400) {
      const to = new URL(answer.location, new URL(path, base));
      if (to.origin === base.origin) waiting.unshift([to.pathname + to.search, path]);
      else fault(path, `leads to ${to.host}`);
      continue;
    }
    if (answer.status >= 400) {
      fault(path, `${answer.status}, linked from ${from}`);
      continue;
    }
    counts.set(kind(path), count + 1);
    if (!answer.type.startsWith("text/html")) {
      files.push({ path, text: answer.text });
      continue;
    }
    pages.push(path);
    for (const link of links(answer.text, new URL(path, base))) {
      if (!seen.has(link)) waiting.push([link, path]);
    }
  }
  return { pages, files };
}
