// The console with the keyboard alone.

/** Runs in the page: whatever Tab must reach, numbered. */
function mark() {
  const can = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  let count = 0;
  for (const node of document.querySelectorAll(can)) {
    const [closed] = [node.closest("details:not([open])")];
    if (closed && node !== closed.querySelector("summary")) continue;
    if (node.disabled || node.tabIndex < 0 || !node.checkVisibility({ visibilityProperty: true })) continue;
    // Of radios in a group Tab reaches one.
    if (node.type === "radio" && !node.checked && document.querySelector(`[name="${node.name}"]:checked`)) continue;
    node.dataset.reach = String(count++);
  }
  return count;
}

/** Runs in the page: what has the focus, and whether one sees that. */
function focused() {
  const node = document.activeElement;
  if (!node || node === document.body || node === document.documentElement) return null;
  // A link in a text may go on in a second line.
  const [box] = node.getClientRects();
  const style = getComputedStyle(node);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const over = box && document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, 12));
  return {
    reach: node.dataset.reach ?? null,
    html: node.outerHTML.slice(0, 120),
    ring,
    inside: box !== undefined && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth && box.width > 0,
    covered: Boolean(over) && !node.contains(over) && !over.contains(node) && !over.closest("label"),
  };
}

/** Tabs through a page: every control is reached, in view, and one sees where one is. */
export async function reachesAll(page, where, faults) {
  // What is renewed meanwhile would lose its mark.
  const live = page.locator("[data-watch] button");
  if (await live.isVisible()) await live.evaluate((button) => button.click());
  const count = await page.evaluate(mark);
  const reached = new Set();
  let before = null;
  // A date has a stop for each of its parts.
  for (let step = 0; step < 4 * count + 5; step++) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(focused);
    if (now === null) break;
    if (now.reach !== null && now.reach === before) continue;
    before = now.reach;
    if (!now.ring) faults.add(where, `the focus is not seen on ${now.html}`);
    if (!now.inside) faults.add(where, `the focus is out of view on ${now.html}`);
    else if (now.covered) faults.add(where, `what has the focus is covered: ${now.html}`);
    if (reached.has(now.reach)) break;
    reached.add(now.reach);
  }
  for (let one = 0; one < count; one++) {
    if (reached.has(String(one))) continue;
    const missed = page.locator(`[data-reach="${one}"]`);
    const html = await missed.evaluate((node) => node.outerHTML.slice(0, 120), null, { timeout: 2_000 }).catch(() => "one that is gone");
    faults.add(where, `the keyboard does not reach ${html}`);
  }
}

/** Tabs on until `target` has the focus. */
export async function tabTo(page, target) {
  for (let step = 0; step < 200; step++) {
    if (await target.evaluate((node) => node === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard does not reach ${target}`);
}
