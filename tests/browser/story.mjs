// One dispute, from a passkey to a refused call: what the console is for, as its staff would go about it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { openPage } from "./browser.mjs";
import { accessible, leaks, wellMade } from "./checks.mjs";
import { Person } from "./staff.mjs";

const REASON = "Ticket 4711: called at night";

/** A device that asks its owner for a finger, and gets it. */
async function giveDevice(context, page) {
  const tools = await context.newCDPSession(page);
  await tools.send("WebAuthn.enable", { enableUI: false });
  await tools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}

async function byPasskey(page, person) {
  await person.byLink(page);
  await page.goto("/console/me");
  await page.locator("#passkey-name").fill("Phone");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByRole("rowheader", { name: "Phone" }).waitFor();
  await person.logOut(page);
  await page.getByRole("button", { name: "Log in with a passkey" }).click();
  await page.waitForURL((url) => !url.pathname.startsWith("/console/login"));
}

/** A row of the audit log that has all these words. */
async function audited(page, ...words) {
  await page.goto("/console/audit");
  let row = page.locator("main table.list tbody tr");
  for (const one of words) row = row.filter({ hasText: one });
  assert.ok((await row.count()) > 0, `the audit log has no row with ${words.join(", ")}`);
}

/** Plays it. The market's dispute is blocked afterwards, and one of its people erased. */
export async function story(browser, server, faults, { market, phones, sessions, secret }) {
  const { disputed } = sessions;
  const { ada, bo, fay } = phones;
  const person = await Person.create(server, "Rosa Keen", "admin", "--account", market.id);
  const { page, context, watch } = await openPage(browser, { origin: server.origin, faults, where: "story" });
  const fine = async (where, tells = secret) => {
    watch.where = `story, ${where}`;
    await accessible(page, watch.where, faults);
    await wellMade(page, watch.where, faults, { language: "en", secret: tells });
  };
  await giveDevice(context, page);
  await byPasskey(page, person);

  // Ada has written to support: somebody called her, and did not answer when she called back.
  const own = ada.number;
  await page.locator("#q").fill(`${own.slice(0, 2)} ${own.slice(2, 5)} ${own.slice(5, 8)} ${own.slice(8)}`);
  await page.locator("form[role=search] button").click();
  await page.getByRole("heading", { level: 1 }).filter({ hasText: "+1••••" }).waitFor();
  assert.ok(!leaks(decodeURIComponent(page.url()), secret).length, "the number stands in the address");
  await fine("a person is found");
  await page.getByRole("link", { name: disputed.unique_name }).first().click();
  await page.getByRole("heading", { level: 1, name: disputed.unique_name }).waitFor();
  const problem = page.locator(".problem");
  assert.match(await problem.innerText(), /Nobody answered\.[^]*Next step/, "why the call failed");

  // Whose number it is, for a reason.
  const buyer = disputed.participants.find((one) => one.role === "buyer");
  await page.locator(`a[href*="/console/people/${buyer.id}/reveal"]`).click();
  await page.locator("#a-cause").selectOption({ index: 1 });
  await page.locator("#a-reason").fill(REASON);
  await fine("asks why");
  await page.locator("main form button[type=submit]").click();
  await page.locator("#number").waitFor();
  assert.equal((await page.locator("#number").innerText()).replaceAll(" ", ""), own);
  await fine("a number for a minute", { numbers: secret.numbers.filter((one) => one !== own), words: secret.words });
  await page.getByRole("link", { name: "Hide it now" }).click();
  await page.getByRole("heading", { level: 1, name: disputed.unique_name }).waitFor();
  await fine("the number is gone");
  await audited(page, "number_revealed", REASON);
  await fine("the audit log");

  // The log, for the marketplace's lawyers.
  await page.goto("/console/interactions");
  await page.locator("form.export select").selectOption("csv");
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.locator("form.export button[type=submit]").click(),
  ]);
  const rows = (await readFile(await file.path(), "utf8")).trim().split(/\r?\n/);
  assert.ok(rows.length > 10, `the file has ${rows.length} rows`);
  assert.ok(rows.some((row) => row.includes(disputed.id)), "the dispute is not in the file");
  assert.deepEqual(leaks(rows.join("\n"), secret), [], "the file tells a secret");
  await audited(page, "export.made");
  await page.getByRole("button", { name: "Verify the chain" }).click();
  await page.getByText("Whole.").waitFor();
  await fine("the chain is whole");

  // Nothing passes between the two from now on.
  await page.goto(`/console/sessions/${disputed.id}`);
  await page.locator(`a[href*="/console/sessions/${disputed.id}/block"]`).click();
  await page.locator("#a-reason").fill(REASON);
  await fine("asks before it blocks");
  await page.locator("main form button[type=submit]").click();
  await page.getByText("Nothing passes between the two.").waitFor();
  await fine("a pair is blocked");
  const call = await ada.dial(disputed.dials.buyer);
  await ada.call("ended", call);
  const last = await market.outcome(disputed, "refused");
  assert.equal(last.reason, "blocked");
  assert.equal((await bo.seen()).calls.filter((one) => one.stage === "ringing").length, 0, "it rings");
  await page.reload();
  await page.locator(".problem").filter({ hasText: /blocked/i }).waitFor();
  await audited(page, "blocked", REASON);

  await erase(page, market, fay);
  await fine("somebody is erased");
  await context.close();
  return person;
}

/** Somebody asks to be forgotten. */
async function erase(page, market, fay) {
  await page.locator("#q").fill(fay.number);
  await page.locator("form[role=search] button").click();
  await page.getByRole("link", { name: "ride-1" }).first().click();
  const { participants } = await market.get("/services/rides/sessions/ride-1");
  const driver = participants.find((one) => one.role === "driver");
  await page.locator(`a[href*="/console/people/${driver.id}/erase"]`).click();
  await page.locator("#a-word").fill(driver.masked.slice(-4));
  await page.locator("#a-reason").fill("GDPR Art. 17");
  await page.locator("main form button[type=submit]").click();
  await page.waitForURL(/\/console\/erasures\//);
}
