// Which pages the router has, read from its code.

import { readFileSync, readdirSync } from "node:fs";

const CODE = new URL("../../src/http/console/", import.meta.url);

/** The paths below /console that answer GET, with their parameters in braces. */
export function routes(folder = CODE) {
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".rs"));
  return names.flatMap((name) => {
    const code = readFileSync(new URL(name, folder), "utf8");
    const named = [...code.matchAll(/\blet (\w+) = get\(/g)].map(([, one]) => one);
    const answers = new RegExp(`\\b(${["get\\(", ...named.map((one) => `${one}\\b`)].join("|")})`);
    return code
      .split(/\.route\(\s*"/)
      .slice(1)
      .map((rest) => [rest.slice(0, rest.indexOf('"')), rest.slice(rest.indexOf('"') + 1).split(/\n\s*\.|;/)[0]])
      .filter(([path, methods]) => path.startsWith("/console") && answers.test(methods))
      .map(([path]) => path);
  });
}
