// A marketplace's side of a running server: its API, and the simulated phones of its people.

import assert from "node:assert/strict";

const WAIT_MS = 20_000;

/** Asks again and again until `what` gives something, and returns that. */
export async function eventually(words, what) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const found = await what();
    if (found) return found;
    assert.ok(Date.now() < end, `did not happen in time: ${words}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function ask(method, url, headers, body) {
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

async function must(method, url, headers, body) {
  const answer = await ask(method, url, headers, body);
  const where = new URL(url).pathname;
  assert.ok(answer.status < 300, `${method} ${where}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** An account with its API. */
export class Market {
  constructor(server, account) {
    this.server = server;
    this.id = account.account_sid;
    this.headers = { authorization: `Bearer ${account.api_key}` };
  }

  static async open(server, name) {
    return new Market(server, JSON.parse(await server.command("account", "create", "--name", name)));
  }

  url(path) {
    return `${this.server.api}/api/v1${path}`;
  }

  get(path) {
    return must("GET", this.url(path), this.headers);
  }

  post(path, body) {
    return must("POST", this.url(path), this.headers, body);
  }

  put(path, body) {
    return must("PUT", this.url(path), this.headers, body);
  }

  /** The same, of which a refusal is expected: its status. */
  async refused(path, body) {
    const { status } = await ask("POST", this.url(path), this.headers, body);
    assert.ok(status >= 400, `${path} was not refused: ${status}`);
    return status;
  }

  /** Opens a session; `dials` has for each role the proxy number that it dials. */
  async session(service, name, people, more = {}) {
    const session = await this.post("/sessions", {
      service_id: service,
      unique_name: name,
      participants: Object.entries(people).map(([role, identifier]) => ({ role, identifier })),
      ...more,
    });
    const dials = {};
    for (const one of session.participants) dials[one.role] = one.proxy_number;
    return { ...session, dials };
  }

  /** The newest call or text of a session once it has that outcome. */
  outcome(session, outcome) {
    return eventually(`${outcome} in ${session.unique_name}`, async () => {
      const page = await this.get(`/interactions?session=${session.id}&limit=1`);
      const [last] = page.data;
      return last?.outcome === outcome ? last : null;
    });
  }
}

/** One of the simulated phones. */
export class Phone {
  constructor(server, id, number) {
    this.base = `${server.api}/sandbox/api/phones/${id}`;
    this.number = number;
  }

  static async register(server, name, number) {
    const made = await must("POST", `${server.api}/sandbox/api/phones`, {}, { name, number });
    return new Phone(server, made.id, number);
  }

  text(to, text) {
    return must("POST", `${this.base}/text`, {}, { to, text });
  }

  seen() {
    return must("GET", this.base, {});
  }

  /** Waits for a text with these words. */
  received(words) {
    return eventually(`the text "${words}"`, async () => {
      const { texts } = await this.seen();
      return texts.find((one) => one.direction === "in" && one.text.includes(words));
    });
  }

  async dial(to, more = {}) {
    const { id } = await must("POST", `${this.base}/dial`, {}, { to, ...more });
    return id;
  }

  /** Waits until the call, or else the newest one, is at that stage. */
  call(stage, id) {
    return eventually(`a call that is ${stage}`, async () => {
      const { calls } = await this.seen();
      const one = id ? calls.find((call) => call.id === id) : calls.at(-1);
      return one?.stage === stage ? one : null;
    });
  }

  act(act, call) {
    return must("POST", `${this.base}/${act}`, {}, { call });
  }

  /** Waits for a ring and does that with it. */
  async rings(act) {
    const { id } = await this.call("ringing");
    await this.act(act, id);
    return id;
  }
}
