// A server of its own for the console's pages: the debug build over a new database, with the simulated
// network as its carrier.

import { spawn, execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);
const START_MS = 60_000;

/** A port that nobody has now. */
export async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** A marketplace's endpoint: it answers 500 to whatever comes to `/broken`, and 204 to all else. */
async function startEndpoint() {
  const endpoint = createHttp((request, response) => {
    request.resume();
    response.writeHead(request.url === "/broken" ? 500 : 204).end();
  });
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  return endpoint;
}

/**
 * Starts `program serve`.
 *
 * @param {string} program the path of the debug build
 * @param {string} more further settings, as TOML
 * @returns what tests need of it: `origin` as browsers reach it, `api` as programs do, `endpoint` where the
 *   marketplace takes its events, `command(…)` for the other commands, `log()` with its last lines, `stop()`
 */
export async function startServer(program, more = "") {
  const folder = mkdtempSync(path.join(tmpdir(), "entremise-console-"));
  const endpoint = await startEndpoint();
  const sink = `127.0.0.1:${endpoint.address().port}`;
  const port = await freePort();
  const file = path.join(folder, "entremise.toml");
  writeFileSync(
    file,
    `listen = "127.0.0.1:${port}"
ops_listen = "127.0.0.1:0"
# Passkeys are of a name: an address of digits can have none.
public_url = "http://localhost:${port}"
database_url = "sqlite:${path.join(folder, "relay.db")}"
egress_allow = ["${sink}"]
master_key = "${randomBytes(32).toString("base64")}"

[log]
filter = "warn,entremise::cli=info"
format = "json"

[api]
rate_per_minute = 100000

[sqlite]
ballast_mib = 0

[[carriers]]
id = "sandbox"
kind = "sandbox"
secret = "${randomBytes(16).toString("hex")}"

${more}`,
    { mode: 0o600 },
  );
  const lines = [];
  const child = spawn(program, ["serve", "--config", file], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  const serving = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (lines.length > 200) lines.shift();
        if (line.includes('"serving"')) resolve(true);
      });
    }
  });
  async function stop() {
    child.kill("SIGTERM");
    await ended;
    endpoint.closeAllConnections();
    endpoint.close();
    rmSync(folder, { recursive: true, force: true });
  }
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, START_MS, false)));
  const started = await Promise.race([serving, ended.then(() => false), late]);
  clearTimeout(timer);
  if (!started) {
    await stop();
    throw new Error(`the server did not start:\n${lines.join("\n")}`);
  }
  return {
    origin: `http://localhost:${port}`,
    api: `http://127.0.0.1:${port}`,
    endpoint: `http://${sink}`,
    async command(...words) {
      const [noun, verb, ...rest] = words;
      const { stdout } = await run(program, [noun, verb, "--config", file, ...rest], { cwd: folder });
      return stdout.trim();
    },
    log: () => lines.join("\n"),
    stop,
  };
}
