// Passkeys with the browser's own virtual authenticator: made, used to come in and to prove again, removed.

import { openPage } from "./browser.mjs";
import { accessible } from "./checks.mjs";
import { Person } from "./staff.mjs";

const PASSWORD = "harbour violet thimble oak";

/** A phone that asks its owner for a finger, and gets it. */
async function phone(context, page) {
  const tools = await context.newCDPSession(page);
  await tools.send("WebAuthn.enable", { enableUI: false });
  const { authenticatorId } = await tools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    // The finger is another's from then on, or the owner's again.
    verifies: (isUserVerified) => tools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
  };
}

async function add(page, name) {
  await page.goto("/console/me");
  await page.locator("#passkey-name").fill(name);
  await page.getByRole("button", { name: "Add a passkey" }).click();
}

/** Every way of a passkey. */
export async function passkeys(browser, server, faults) {
  const person = await Person.create(server, "Paula Kay", "supervisor");
  const { page, context, watch } = await openPage(browser, { origin: server.origin, faults, where: "passkeys" });
  const fine = async (where) => {
    watch.where = where;
    await accessible(page, where, faults);
  };
  const authenticator = await phone(context, page);

  await person.byLink(page);
  await page.goto("/console/me");
  await fine("no passkey yet");
  await add(page, "Phone");
  await page.waitForURL(/done=passkey$/);
  await page.getByRole("rowheader", { name: "Phone" }).waitFor();
  await fine("a passkey");
  // Chromium tells the same authenticator by the list of what is there already.
  await add(page, "Phone again");
  await page.waitForURL(/\/console\/prove/);
  await fine("proves with a passkey");
  await page.getByRole("button", { name: "Use a passkey" }).click();
  await page.waitForURL(/\/console\/me$/);
  await add(page, "Phone again");
  await page.getByRole("alert").filter({ hasText: "holds a passkey of yours already" }).waitFor();
  await fine("a passkey that is there");
  await person.logOut(page);

  await fine("logs in with a passkey");
  await authenticator.verifies(false);
  await page.getByRole("button", { name: "Log in with a passkey" }).click();
  await page.getByRole("alert").filter({ hasText: "Nothing was chosen" }).waitFor();
  await fine("a passkey without its owner");
  await authenticator.verifies(true);
  await page.getByRole("button", { name: "Log in with a passkey" }).click();
  await page.waitForURL((url) => !url.pathname.startsWith("/console/login"));
  await page.goto("/console/me");
  await page.getByRole("button", { name: "Remove Phone" }).click();
  await page.getByText("is your only way in").waitFor();
  await person.setPassword(page, PASSWORD);
  await page.getByRole("button", { name: "Remove Phone" }).click();
  await page.waitForURL(/done=passkey_removed$/);
  await context.close();
}
