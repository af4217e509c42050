// What the console's pages show: a marketplace on which everything goes right and wrong once, made over its API
// and by the phones of its people.

import { Market, Phone, eventually } from "./market.mjs";

/** Whose numbers no page may show. The last has no phone: nothing reaches it. */
const NUMBERS = {
  ada: "+12125550142",
  bo: "+13125550178",
  cem: "+12125550143",
  dana: "+13125550179",
  eve: "+447700900142",
  fay: "+33639980142",
  nobody: "+13125550199",
};
const POOL = ["+14155550101", "+14155550102", "+14155550103", "+447700900101"];
/** A word of each text: no page may show one unasked. */
const WORDS = ["fountain", "saddle", "tandem", "puncture", "pannier"];

async function calls(market, session, from, to, number, act, outcome) {
  const call = await from.dial(number);
  if (act) await to.rings(act);
  if (outcome === "connected") {
    await from.call("connected", call);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await from.act("hang_up", call);
  }
  await from.call("ended", call);
  return market.outcome(session, outcome);
}

/** Two who agree, and then do not: texts, and calls of every end. */
async function dispute(market, { ada, bo }) {
  const session = await market.session("bikes", "order-1042", { buyer: ada.number, seller: bo.number });
  const { buyer, seller } = session.dials;
  await ada.text(buyer, "Shall we meet by the fountain?");
  await bo.received("fountain");
  await market.outcome(session, "relayed");
  await bo.text(seller, "Yes, and I bring the saddle.");
  await ada.received("saddle");
  await ada.text(buyer, "Ring me on 212 555 0142 then, by the rack.");
  await bo.received("by the rack");
  await calls(market, session, bo, ada, seller, "answer", "connected");
  await calls(market, session, ada, bo, buyer, "decline", "busy");
  const waits = await ada.dial(buyer);
  await bo.call("ringing");
  await ada.act("hang_up", waits);
  await market.outcome(session, "cancelled");
  await calls(market, session, ada, bo, buyer, null, "missed");
  await market.post(`/sessions/${session.id}/extend`, { seconds: 86_400 });
  return session;
}

/** A session that is closed, and somebody who calls afterwards; and one whose time is up. */
async function over(market, { cem, dana }) {
  const people = { rider: cem.number, driver: dana.number };
  const short = await market.session("bikes", "order-1043", people, { ttl_seconds: 1 });
  const closed = await market.session("bikes", "order-1044", people);
  await cem.text(closed.dials.rider, "Is the tandem still there?");
  await dana.received("tandem");
  await market.post(`/sessions/${closed.id}/close`);
  await calls(market, closed, cem, dana, closed.dials.rider, null, "refused");
  await eventually("the end of a session", async () => (await market.get(`/sessions/${short.id}`)).state === "closed");
}

/** What is not put through: a number that nobody has, a pair that is blocked, somebody who wants no texts. */
async function refused(market, { cem, dana, eve }) {
  const lost = await market.session("bikes", "order-1045", { guest: eve.number, host: NUMBERS.nobody });
  await eve.text(lost.dials.guest, "I have a puncture.");
  const sent = await market.outcome(lost, "relayed");
  await eventually("the carrier's word that nobody has the number", async () => {
    const { legs } = await market.get(`/interactions/${sent.id}`);
    return legs.some((leg) => leg.state === "undelivered");
  });
  await calls(market, lost, eve, null, lost.dials.guest, null, "failed");

  const blocked = await market.session("bikes", "order-1046", { guest: cem.number, host: eve.number });
  await market.post(`/sessions/${blocked.id}/participants/${blocked.participants[0].id}/report`, {
    category: "harassment",
    note: "Writes at night.",
  });
  await calls(market, blocked, cem, eve, blocked.dials.guest, null, "refused");

  const quiet = await market.session("bikes", "order-1047", { guest: dana.number, host: eve.number });
  await eve.text(quiet.dials.host, "STOP");
  await eventually("an opt-out", async () => (await market.get("/opt-outs")).data.length > 0);
  await dana.text(quiet.dials.guest, "The pannier is yours.");
  await market.outcome(quiet, "failed");
  return { lost, blocked, quiet };
}

/** A pool of one number serves a pair, and has none for a second. */
async function exhausted(market, { ada, bo, fay }) {
  await market.post("/services", { unique_name: "rides", brand: "Rides of Lyon", geo_match: "any" });
  await market.post("/numbers", { number: "+33939000101", service_id: "rides" });
  await market.session("rides", "ride-1", { rider: ada.number, driver: fay.number });
  await market.refused("/sessions", {
    service_id: "rides",
    unique_name: "ride-2",
    participants: [
      { role: "rider", identifier: ada.number },
      { role: "driver", identifier: bo.number },
    ],
  });
}

/**
 * Plays it all on a server.
 *
 * @returns the `market`, its `phones`, the `sessions` by what is the matter with them, and what is `secret`: no
 *   page may show the digits or the words
 */
export async function play(server) {
  const market = await Market.open(server, "Velo");
  const phones = {};
  for (const [name, number] of Object.entries(NUMBERS)) {
    if (name !== "nobody") phones[name] = await Phone.register(server, name, number);
  }
  await market.post("/services", {
    unique_name: "bikes",
    brand: "Velo",
    geo_match: "any",
    ring_timeout_seconds: 5,
    content: { phone: "redact", legal_basis: "GDPR Art. 6(1)(f)", notice: "Why: velo.example/texts" },
  });
  for (const number of POOL) await market.post("/numbers", { number, service_id: "bikes" });
  await market.post("/endpoints", { url: `${server.endpoint}/fine` });
  await market.post("/endpoints", { url: `${server.endpoint}/broken`, description: "Old shop" });
  const [, sessions, disputed] = await Promise.all([
    exhausted(market, phones),
    over(market, phones).then(() => refused(market, phones)),
    dispute(market, phones),
  ]);
  const stranger = await phones.fay.dial(POOL[0]);
  await phones.fay.call("ended", stranger);
  return {
    market,
    phones,
    sessions: { disputed, ...sessions },
    secret: { numbers: Object.values(NUMBERS), words: WORDS },
  };
}
