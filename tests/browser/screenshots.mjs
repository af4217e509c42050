// Keeps pictures of the console, of a real scenario, for the documentation.
//
//   npm ci && node screenshots.mjs ../../target/debug/entremise ../../docs/img

import { statSync } from "node:fs";
import path from "node:path";

import { Faults, NARROW, launch, openPage } from "./browser.mjs";
import { settle } from "./logins.mjs";
import { play } from "./scenario.mjs";
import { startServer } from "./server.mjs";
import { Person } from "./staff.mjs";

const MOST_BYTES = 100_000;
const DESK = { width: 1100, height: 530 };

const [program, folder] = process.argv.slice(2);
if (!program || !folder) {
  console.error("usage: node screenshots.mjs <path of the debug build> <folder>");
  process.exit(2);
}

const faults = new Faults();
const server = await startServer(path.resolve(program));
const browser = await launch();
try {
  const { market, sessions } = await play(server);
  const made = await Person.create(server, "Ines Duval", "supervisor", "--account", market.id);
  const person = await settle(browser, server, faults, made);
  const session = `/console/sessions/${sessions.disputed.id}`;
  const pictures = [
    ["console-sessions", "/console/sessions", DESK, "light"],
    ["console-session", session, DESK, "dark"],
    ["console-session-phone", session, NARROW, "light"],
  ];
  for (const [name, address, viewport, colorScheme] of pictures) {
    const options = { origin: server.origin, faults, where: name, cookies: person.cookies, viewport, colorScheme };
    const { page, context } = await openPage(browser, options);
    await page.goto(address);
    const file = path.join(folder, `${name}.png`);
    await page.screenshot({ path: file });
    await context.close();
    const { size } = statSync(file);
    console.log(`${file}: ${Math.ceil(size / 1000)} kB`);
    if (size > MOST_BYTES) faults.add(name, `more than ${MOST_BYTES / 1000} kB`);
  }
} catch (error) {
  faults.add("stopped", error.stack);
} finally {
  await browser.close();
  await server.stop();
}
for (const fault of faults.list) console.error(fault);
if (faults.list.length > 0) process.exitCode = 1;
