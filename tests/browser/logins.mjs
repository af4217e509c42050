// The ways into the console and out of it, and the pages that only forms lead to.

import assert from "node:assert/strict";

import { openPage } from "./browser.mjs";
import { accessible, wellMade } from "./checks.mjs";
import { tabTo } from "./keyboard.mjs";
import { Person } from "./staff.mjs";

const PASSWORD = "ferry hinge copper lantern";

/** Gives somebody all that their role asks for, and keeps the browser's cookies. */
export async function settle(browser, server, faults, person) {
  const { page, context } = await openPage(browser, { origin: server.origin, faults, where: `${person.name} settles` });
  await person.byLink(page);
  await person.setPassword(page, `${PASSWORD} ${person.name}`);
  await person.addApp(page);
  // A link counts for less than a login.
  await person.logOut(page);
  await person.logIn(page);
  person.cookies = await context.cookies();
  await context.close();
  return person;
}

/** With the keyboard alone, from the name to the second step. */
async function byKeyboard(page, person) {
  await page.goto("/console/login");
  await tabTo(page, page.locator("#name"));
  await page.keyboard.type(person.name);
  await tabTo(page, page.locator("#password"));
  await page.keyboard.type(person.password);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/console\/login\/code/);
  await tabTo(page, page.locator("#code"));
  await page.keyboard.type(await person.app.code());
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => !url.pathname.startsWith("/console/login"));
}

/** Logs in, looks for a session, opens it and its details, and logs out: with the keyboard alone. */
async function keyboardPath(page, person, account, name) {
  await byKeyboard(page, person);
  await page.goto(`/console/sessions?account=${account}`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip", "the way past the bar is first");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main", "it leads to the content");
  await page.reload();
  await tabTo(page, page.locator("#q"));
  await page.keyboard.type(name);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/console\/sessions\/KC/);
  await page.getByRole("heading", { level: 1, name }).waitFor();
  const details = page.locator(".timeline details").first();
  await tabTo(page, details.locator("summary"));
  await page.keyboard.press("Enter");
  await page.waitForFunction((node) => node.open, await details.elementHandle());
  await tabTo(page, page.locator('form[action="/console/logout"] button'));
  await page.keyboard.press("Enter");
  await page.waitForURL(/logged_out/);
}

/** Every way in, and what is said to whoever has none. */
export async function logins(browser, server, faults, { market, secret, sessions }) {
  const person = await Person.create(server, "Ines Duval", "agent", "--account", market.id);
  const { page, context, watch } = await openPage(browser, { origin: server.origin, faults, where: "logins" });
  const language = "en";
  const fine = async (where) => {
    watch.where = where;
    await accessible(page, where, faults);
    await wellMade(page, where, faults, { language, secret });
  };

  await person.byLink(page);
  await page.getByText("You came by a one-time link.").waitFor();
  await fine("came by a link");
  await page.goto("/console/me/password");
  await fine("sets a password");
  watch.expected.add(422);
  await page.locator("#password").fill("aaaaaaaaaaaaaaaaaaaa");
  await page.locator("form:has(#password) button[type=submit]").click();
  await page.getByRole("alert").waitFor();
  await fine("a weak password");
  watch.expected.clear();
  await person.setPassword(page, PASSWORD);
  await page.goto("/console/me/app");
  await fine("adds an app");
  await person.addApp(page);
  await fine("recovery codes");
  await person.logOut(page);
  await fine("logged out");

  // The link is used up.
  watch.expected.add(403);
  await page.goto(`/console/login${person.link}`);
  await page.getByRole("alert").waitFor();
  await fine("a used link");
  await page.goto("/console/login");
  await page.locator("#name").fill(person.name);
  await page.locator("#password").fill("not the password at all");
  await page.locator("form:has(#password) button[type=submit]").click();
  await page.getByRole("alert").waitFor();
  await fine("a wrong password");
  watch.expected.clear();

  await person.logIn(page);
  watch.expected.add(404);
  await page.locator("#q").fill("order-9999");
  await page.locator("form[role=search] button").click();
  await page.getByRole("heading", { level: 1, name: "Nothing found" }).waitFor();
  await fine("nothing is found");
  watch.expected.clear();
  await person.logOut(page);
  await person.logIn(page, { recovery: true, second: () => fine("the second step") });
  await page.goto("/console/me");
  assert.match(await page.locator("main").innerText(), /9 recovery codes left/);
  await person.logOut(page);
  await keyboardPath(page, person, market.id, sessions.disputed.unique_name);

  // French, once chosen, stays.
  await page.locator('button[name="language"][value="fr"]').click();
  await page.getByRole("heading", { name: "Connexion" }).waitFor();
  await person.logIn(page);
  assert.equal(await page.locator("html").getAttribute("lang"), "fr");
  watch.expected.add(404);
  await page.goto("/console/nowhere");
  await accessible(page, "a page that is not there", faults);
  await context.close();
  return person;
}

/** An admin makes somebody change a password: their browser is logged out, and nothing opens before the change. */
export async function forced(browser, server, faults, { admin, person, secret }) {
  const theirs = await openPage(browser, { origin: server.origin, faults, where: "must change" });
  await person.logIn(theirs.page);
  const mine = await openPage(browser, { origin: server.origin, faults, where: "forces", cookies: admin.cookies });
  await mine.page.goto("/console/staff");
  await mine.page.getByRole("link", { name: person.name }).click();
  await mine.page.getByRole("button", { name: "Make a link" }).click();
  await mine.page.locator("#link").waitFor();
  await accessible(mine.page, "a link that was made", faults);
  await mine.page.getByRole("button", { name: "Force a new password" }).click();
  await mine.page.getByText("to be changed at the next login").waitFor();
  await mine.context.close();

  await theirs.page.goto("/console/sessions");
  await theirs.page.waitForURL(/\/console\/login/);
  await person.logIn(theirs.page);
  await theirs.page.goto("/console/sessions");
  await theirs.page.waitForURL(/\/console\/me\/password$/);
  await accessible(theirs.page, "must change", faults);
  await wellMade(theirs.page, "must change", faults, { language: "en", secret });
  await person.setPassword(theirs.page, "harbour violet thimble oak");
  await theirs.page.goto("/console/sessions");
  await theirs.page.getByRole("heading", { level: 1, name: "Sessions" }).waitFor();
  await theirs.context.close();
}
