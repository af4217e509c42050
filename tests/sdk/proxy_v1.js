// Drives every method of the official Node SDK's proxy.v1, and every error that it can meet.
//
//   proxy_v1.js BASE_URL ACCOUNT_SID AUTH_TOKEN API_KEY OTHER_SID OTHER_TOKEN
"use strict";

const assert = require("node:assert/strict");
const twilio = require("twilio");

const [BASE, SID, TOKEN, KEY, OTHER_SID, OTHER_TOKEN] = process.argv.slice(2);
// NPA 555 0100 to 0199 can be nobody's.
const pool = (npas) => npas.flatMap((npa) => [...Array(100).keys()].map((n) => `+1${npa}5550${100 + n}`));
const numbers = pool([212, 312, 646]);
const proxies = pool([415, 510]);
const person = () => numbers.shift();
const proxy = () => proxies.shift();

function client(user = SID, password = TOKEN, options = {}) {
  const made = twilio(user, password, options);
  made.proxy.baseUrl = BASE;
  return made;
}

const c = client();
const services = c.proxy.v1.services;

function looks(found, prefix, what) {
  assert.match(String(found), new RegExp(`^${prefix}[0-9a-f]{32}$`), what);
}

function isDate(found, what) {
  assert.ok(found instanceof Date && !Number.isNaN(found.getTime()), `${what} is ${found}, not a date`);
  assert.ok(Math.abs(Date.now() - found.getTime()) < 300_000, `${what} is ${found}`);
}

async function refused(status, code, work) {
  let found;
  try {
    found = await work();
  } catch (error) {
    assert.equal(error.constructor.name, "RestException", String(error));
    assert.deepEqual([error.status, error.code], [status, code], error.message);
    return error;
  }
  assert.fail(`${code} was to be thrown, and this came back: ${JSON.stringify(found)}`);
}

// The native API, or the phones' with another base.
async function native(method, path, body, base = "/api/v1") {
  const headers = { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" };
  const answer = await fetch(BASE + base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

async function phone(number) {
  return (await native("POST", "/phones", { name: number.slice(-4), number }, "/sandbox/api")).id;
}

async function until(what, work) {
  const end = Date.now() + 30_000;
  while (Date.now() < end) {
    const found = await work();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`${what}: nothing in 30 seconds`);
}

async function aService(uniqueName, count = 0) {
  const service = services((await services.create({ uniqueName })).sid);
  for (let n = 0; n < count; n++) await service.phoneNumbers.create({ phoneNumber: proxy() });
  return service;
}

async function aSession(service, people = [], settings = {}) {
  const session = service.sessions((await service.sessions.create(settings)).sid);
  for (const identifier of people) await session.participants.create({ identifier });
  return session;
}

async function test_services() {
  const settings = {
    defaultTtl: 3600,
    callbackUrl: "https://m.example/cb",
    geoMatchLevel: "area-code",
    numberSelectionBehavior: "avoid-sticky",
    interceptCallbackUrl: "https://m.example/ask",
    outOfSessionCallbackUrl: "https://m.example/else",
    chatInstanceSid: `IS${"0a".repeat(16)}`,
  };
  const made = await services.create({ uniqueName: "services", ...settings });
  looks(made.sid, "KS", "sid");
  assert.equal(made.accountSid, SID);
  for (const [name, value] of Object.entries(settings)) assert.equal(made[name], value, name);
  isDate(made.dateCreated, "dateCreated");
  isDate(made.dateUpdated, "dateUpdated");
  assert.equal(made.url, `${BASE}/v1/Services/${made.sid}`);
  assert.deepEqual(made.links, { sessions: `${made.url}/Sessions`, phone_numbers: `${made.url}/PhoneNumbers` });
  for (const named of [made.sid, "services"]) assert.equal((await services(named).fetch()).sid, made.sid);
  const changed = await services(made.sid).update({ uniqueName: "services2", defaultTtl: 0, callbackUrl: "" });
  assert.deepEqual([changed.uniqueName, changed.defaultTtl, changed.callbackUrl], ["services2", 0, null]);
  assert.equal(changed.geoMatchLevel, "area-code");
  assert.equal((await native("GET", `/services/${made.sid}`)).unique_name, "services2");
  assert.ok((await services.list()).some((one) => one.sid === made.sid), "the list has it");
  await refused(400, 80602, () => services.create({ uniqueName: "services2" }));
  await refused(400, 80701, () => services.create({ uniqueName: "x".repeat(192) }));
  await refused(400, 80701, () => services(made.sid).update({ callbackUrl: "https://127.0.0.1/" }));
  assert.equal(await services(made.sid).remove(), true);
  await refused(404, 20404, () => services(made.sid).fetch());
  await refused(404, 20404, () => services(made.sid).remove());
}

async function test_phone_numbers() {
  const service = await aService("numbers");
  const other = await aService("numbers2");
  const digits = proxy();
  const made = await service.phoneNumbers.create({ phoneNumber: digits, isReserved: true });
  looks(made.sid, "PN", "sid");
  assert.deepEqual([made.phoneNumber, made.friendlyName, made.isoCountry], [digits, digits, "US"]);
  assert.deepEqual(made.capabilities, { sms: true, mms: true, voice: true, fax: false });
  assert.deepEqual([made.isReserved, made.inUse], [true, 0]);
  isDate(made.dateCreated, "dateCreated");
  const more = { phoneNumber: proxy(), isReserved: true };
  await refused(400, 80622, () => service.phoneNumbers.create(more));
  const number = service.phoneNumbers(made.sid);
  assert.equal((await number.update({ isReserved: false })).isReserved, false);
  assert.equal((await number.fetch()).isReserved, false);
  assert.deepEqual((await service.phoneNumbers.list()).map((one) => one.sid), [made.sid]);
  const create = (settings) => () => service.phoneNumbers.create(settings);
  const elsewhere = (settings) => () => other.phoneNumbers.create(settings);
  await refused(400, 80104, create({ phoneNumber: digits }));
  await refused(400, 80101, elsewhere({ phoneNumber: digits }));
  await refused(400, 80101, elsewhere({ sid: made.sid }));
  await refused(400, 80406, create({ phoneNumber: "5550100" }));
  await refused(400, 80407, create({ sid: "PN12" }));
  await refused(400, 80301, create({ sid: `PN${"0a".repeat(16)}` }));
  await refused(400, 80701, create({}));
  const theirs = client(OTHER_SID, OTHER_TOKEN).proxy.v1.services;
  const foreign = theirs((await theirs.create({ uniqueName: "numbers" })).sid);
  await refused(400, 80601, () => foreign.phoneNumbers.create({ phoneNumber: digits }));
  const session = await aSession(service, [person()]);
  assert.equal((await number.fetch()).inUse, 1);
  await refused(400, 80611, () => number.remove());
  await session.update({ status: "closed" });
  assert.equal(await number.remove(), true);
  await refused(404, 20404, () => number.fetch());
  assert.deepEqual(await service.phoneNumbers.list(), []);
  assert.equal((await elsewhere({ sid: made.sid })()).sid, made.sid, "the number that came back");
}

async function test_short_codes() {
  // This SDK has none: asked by hand, the addresses of old ones answer.
  const service = await aService("short-codes");
  assert.equal(service.shortCodes, undefined);
  const { sid } = await service.fetch();
  const at = `${BASE}/v1/Services/${sid}/ShortCodes`;
  const list = await c.request({ method: "get", uri: at });
  assert.deepEqual([list.statusCode, list.body.short_codes], [200, []]);
  const made = await c.request({ method: "post", uri: at, data: { Sid: `SC${"0a".repeat(16)}` } });
  assert.deepEqual([made.statusCode, made.body.code], [400, 80303]);
  for (const method of ["get", "post", "delete"]) {
    const one = await c.request({ method, uri: `${at}/SC${"0a".repeat(16)}` });
    assert.deepEqual([one.statusCode, one.body.code], [404, 20404]);
  }
}

async function test_sessions() {
  const service = await aService("sessions", 1);
  const people = [person(), person()];
  const dateExpiry = new Date("2099-05-01T01:02:03Z");
  const made = await service.sessions.create({
    uniqueName: "Order #1",
    dateExpiry,
    ttl: 60,
    mode: "voice-only",
    status: "open",
    participants: [{ Identifier: people[0], FriendlyName: "One" }, { Identifier: people[1] }],
  });
  looks(made.sid, "KC", "sid");
  assert.deepEqual([made.uniqueName, made.status, made.ttl, made.mode], ["Order #1", "open", 60, "voice-only"]);
  assert.equal(made.dateExpiry.getTime(), dateExpiry.getTime());
  assert.deepEqual([made.closedReason, made.dateStarted, made.dateEnded], [null, null, null]);
  isDate(made.dateCreated, "dateCreated");
  assert.deepEqual(Object.keys(made.links).sort(), ["interactions", "participants"]);
  const session = service.sessions(made.sid);
  const found = (await session.participants.list()).map((one) => one.identifier);
  assert.deepEqual(found.sort(), people.toSorted());
  const named = await service.sessions.create({ uniqueName: "order-1" });
  assert.equal((await service.sessions("order-1").fetch()).sid, named.sid);
  assert.equal((await service.sessions.list()).length, 2);
  assert.equal((await native("GET", `/sessions/${made.sid}`)).unique_name, "Order #1");
  await refused(400, 80603, () => service.sessions.create({ uniqueName: "order-1" }));
  await refused(400, 80608, () => service.sessions.create({ status: "closed" }));
  await refused(400, 80701, () => service.sessions.create({ dateExpiry: new Date("2020-01-01T00:00:00Z") }));
  await refused(400, 80701, () => service.sessions.create({ mode: "telepathy" }));
  await refused(400, 80701, () => service.sessions.create({ ttl: -1 }));
  await refused(400, 80608, () => session.update({ status: "in-progress" }));
  assert.equal((await session.update({ ttl: 90 })).ttl, 90);
  const closed = await session.update({ status: "closed" });
  assert.deepEqual([closed.status, closed.closedReason], ["closed", "api"]);
  isDate(closed.dateEnded, "dateEnded");
  await refused(400, 80607, () => session.update({ ttl: 60 }));
  await refused(400, 80608, () => session.update({ status: "open" }));
  const again = await session.update({ status: "in-progress", dateExpiry });
  assert.deepEqual([again.status, again.closedReason, again.dateEnded], ["in-progress", null, null]);
  assert.equal(again.dateExpiry.getTime(), dateExpiry.getTime());
  assert.equal(await session.remove(), true);
  await refused(404, 20404, () => session.fetch());
  assert.equal((await service.sessions("order-1").fetch()).status, "open");
}

async function test_participants() {
  const service = await aService("participants", 2);
  const [one, two, three] = [person(), person(), person()];
  const session = await aSession(service);
  const made = await session.participants.create({ identifier: one, friendlyName: "One" });
  looks(made.sid, "KP", "sid");
  assert.deepEqual([made.identifier, made.friendlyName, made.dateDeleted], [one, "One", null]);
  looks(made.proxyIdentifierSid, "PN", "proxyIdentifierSid");
  isDate(made.dateCreated, "dateCreated");
  assert.equal(made.links.message_interactions, `${made.url}/MessageInteractions`);
  assert.equal((await session.participants(made.sid).fetch()).identifier, one);
  const pool = await service.phoneNumbers.list();
  const digits = pool.find((number) => number.sid === made.proxyIdentifierSid).phoneNumber;
  assert.equal(digits, made.proxyIdentifier);
  const create = (settings) => () => session.participants.create(settings);
  await refused(400, 80103, create({ identifier: one }));
  const other = await create({ identifier: two, proxyIdentifierSid: pool[0].sid })();
  assert.equal(other.proxyIdentifierSid, pool[0].sid);
  await refused(400, 80609, create({ identifier: three }));
  assert.equal(await session.participants(other.sid).remove(), true);
  isDate((await session.participants(other.sid).fetch()).dateDeleted, "dateDeleted");
  assert.equal((await session.participants.list()).length, 2);
  await refused(400, 80103, create({ identifier: two }));
  assert.equal((await create({ identifier: three, proxyIdentifier: digits })()).proxyIdentifier, digits);
  await refused(400, 80103, create({ identifier: two }));
  const beside = await aSession(service);
  const second = (settings) => () => beside.participants.create(settings);
  await refused(400, 80604, second({ identifier: one, proxyIdentifier: digits }));
  await refused(400, 80605, second({ identifier: one, proxyIdentifier: proxy() }));
  await refused(400, 80402, second({ identifier: digits }));
  await refused(400, 80404, second({ identifier: `+1555${1234567}` }));
  await refused(400, 80304, second({ identifier: "messenger:123" }));
  await session.update({ status: "closed" });
  await refused(400, 80607, create({ identifier: person() }));
  await refused(404, 20404, () => session.participants(`KP${"0a".repeat(16)}`).fetch());
}

async function test_pools() {
  const who = person();
  const openIn = (service, mode, identifier = who) => () =>
    service.sessions.create({ mode, participants: [{ Identifier: identifier }] });
  await refused(400, 80205, openIn(await aService("pool-empty"), "voice-only"));
  for (const [can, mode, code] of [["voice", "message-only", 80202], ["sms", "voice-only", 80201]]) {
    const made = await services.create({ uniqueName: `pool-${can}` });
    await native("POST", "/numbers", { number: proxy(), service_id: made.sid, capabilities: [can] });
    await refused(400, code, openIn(services(made.sid), mode));
  }
  const service = await aService("pool", 1);
  await refused(400, 80203, openIn(service, "voice-only", "+442079460100"));
  await aSession(service, [who]);
  await refused(400, 80206, openIn(service, "message-only"));
  const [number] = await service.phoneNumbers.list();
  await service.phoneNumbers(number.sid).update({ isReserved: true });
  await refused(400, 80207, openIn(service, "message-only", person()));
}

async function test_interactions() {
  const service = await aService("interactions", 1);
  const [alice, bob] = [person(), person()];
  const [hers, his] = [await phone(alice), await phone(bob)];
  const session = await aSession(service, [alice, bob], { ttl: 600 });
  assert.equal((await session.fetch()).dateExpiry, null);
  const people = await session.participants.list();
  const of = (identifier) => people.find((one) => one.identifier === identifier);
  const to = of(alice).proxyIdentifier;
  await native("POST", `/phones/${hers}/text`, { to, text: "hello" }, "/sandbox/api");
  const text = await until("a text", async () => {
    const [one] = await session.interactions.list();
    return one?.outboundResourceStatus === "delivered" && one;
  });
  looks(text.sid, "KI", "sid");
  assert.deepEqual([text.type, text.data], ["Message", '{"body":"hello"}']);
  assert.deepEqual([text.inboundParticipantSid, text.outboundParticipantSid], [of(alice).sid, of(bob).sid]);
  assert.equal(text.inboundResourceStatus, "received");
  looks(text.inboundResourceSid, "SM", "inboundResourceSid");
  looks(text.outboundResourceSid, "SM", "outboundResourceSid");
  isDate(text.dateCreated, "dateCreated");
  const live = await session.fetch();
  assert.equal(live.status, "in-progress");
  isDate(live.dateStarted, "dateStarted");
  assert.ok(live.dateExpiry, "dateExpiry is known after an interaction");

  await native("POST", `/phones/${hers}/dial`, { to }, "/sandbox/api");
  const ringing = await until("ringing", async () => {
    const { calls } = await native("GET", `/phones/${his}`, undefined, "/sandbox/api");
    return calls.find((one) => one.stage === "ringing")?.id;
  });
  await native("POST", `/phones/${his}/answer`, { call: ringing }, "/sandbox/api");
  await native("POST", `/phones/${his}/hang_up`, { call: ringing }, "/sandbox/api");
  const call = await until("a call", async () => {
    const found = await session.interactions.list();
    return found.find((one) => one.type === "Voice" && one.data !== "{}");
  });
  assert.match(JSON.parse(call.data).duration, /^\d+$/);
  looks(call.inboundResourceSid, "CA", "inboundResourceSid");
  assert.equal(call.outboundResourceType, "Call");
  const interaction = session.interactions(text.sid);
  assert.equal((await interaction.fetch()).data, text.data);
  assert.equal(await interaction.remove(), true);
  await refused(404, 20404, () => interaction.fetch());
  assert.deepEqual((await session.interactions.list()).map((one) => one.sid), [call.sid]);
}

async function test_message_interactions() {
  const service = await aService("message-interactions", 1);
  const [alice, bob] = [person(), person()];
  await phone(alice);
  const session = await aSession(service, [alice, bob]);
  const { sid } = (await session.participants.list()).find((one) => one.identifier === alice);
  const { messageInteractions } = session.participants(sid);
  const made = await messageInteractions.create({ body: "Your ride is here" });
  looks(made.sid, "KI", "sid");
  assert.deepEqual([made.participantSid, made.outboundParticipantSid], [sid, sid]);
  assert.equal(made.data, '{"body":"Your ride is here"}');
  assert.deepEqual([made.inboundParticipantSid, made.type], [null, "Message"]);
  assert.equal((await messageInteractions(made.sid).fetch()).data, made.data);
  assert.deepEqual((await messageInteractions.list()).map((one) => one.sid), [made.sid]);
  await refused(400, 80701, () => messageInteractions.create({ mediaUrl: ["https://m.example/a.png"] }));
  const mute = await aSession(service, [person()], { mode: "voice-only" });
  const [only] = await mute.participants.list();
  const send = () => mute.participants(only.sid).messageInteractions.create({ body: "x" });
  await refused(400, 80910, send);
  await mute.update({ status: "closed" });
  await refused(400, 80607, send);
}

async function test_paging() {
  const service = await aService("paging");
  const made = [];
  for (let n = 0; n < 7; n++) made.unshift((await service.sessions.create({})).sid);
  const sids = (list) => list.map((one) => one.sid);
  assert.deepEqual(sids(await service.sessions.list({ pageSize: 2 })), made);
  assert.equal((await service.sessions.list({ limit: 3 })).length, 3);
  const first = await service.sessions.page({ pageSize: 3 });
  assert.equal(first.previousPageUrl, undefined);
  const second = await first.nextPage();
  assert.deepEqual(sids(second.instances), made.slice(3, 6));
  assert.deepEqual(sids((await second.previousPage()).instances), made.slice(0, 3));
  const got = await service.sessions.getPage(first.nextPageUrl);
  assert.deepEqual(sids(got.instances), made.slice(3, 6));
  const last = await got.nextPage();
  assert.equal(last.nextPageUrl, undefined);
  let each = 0;
  await new Promise((done, fail) =>
    service.sessions.each({ pageSize: 3, callback: () => each++, done: (error) => (error ? fail(error) : done()) }),
  );
  assert.equal(each, 7);
}

async function test_credentials() {
  await refused(401, 20003, () => client(SID, "wrong").proxy.v1.services("any").fetch());
  await refused(401, 20003, () => client(OTHER_SID, TOKEN).proxy.v1.services("any").fetch());
  assert.ok((await client(SID, KEY).proxy.v1.services.list({ limit: 1 })).length);
  const key = (await native("GET", "/api-keys")).data[0].id;
  const named = client(`SK${key.slice(2)}`, KEY, { accountSid: SID });
  assert.ok((await named.proxy.v1.services.list({ limit: 1 })).length);
  const reader = (await native("POST", "/api-keys", { name: "reader", scopes: ["sessions:read"] })).secret;
  await refused(403, 20403, () => client(SID, reader).proxy.v1.services("any").fetch());
  const [mine] = await services.list({ limit: 1 });
  await refused(404, 20404, () => client(OTHER_SID, OTHER_TOKEN).proxy.v1.services(mine.sid).fetch());
}

// A custom HTTP client that rewrites addresses.
async function test_other_clients() {
  class Relay extends twilio.RequestClient {
    request(options) {
      options.uri = options.uri.replace("https://proxy.twilio.com", BASE);
      return super.request(options);
    }
  }
  const other = twilio(SID, TOKEN, { httpClient: new Relay() });
  assert.ok((await other.proxy.v1.services.list({ pageSize: 1 })).length);
}

async function main() {
  const tests = [
    test_services, test_phone_numbers, test_short_codes, test_sessions, test_participants, test_pools,
    test_interactions, test_message_interactions, test_paging, test_credentials, test_other_clients,
  ];
  for (const test of tests) {
    try {
      await test();
      console.log(`  ok    ${test.name}`);
    } catch (error) {
      process.exitCode = 1;
      const line = /proxy_v1\.js:\d+/g;
      const where = String(error.stack).match(line)?.find((one) => one) ?? "";
      console.log(`  FAILED ${test.name}, ${where}: ${error.message}`);
    }
  }
}

main();
