// Keeps the figures of the last hour up to date, until somebody pauses that. Without this the page is reloaded by hand.

const box = document.querySelector("[data-watch]");
if (box) {
  const button = box.querySelector("button");
  const status = box.querySelector("[role=status]");
  const pause = button.textContent;
  let waiting = {};
  let source = null;
  let paused = false;

  const show = (news) => {
    waiting = { ...waiting, ...news };
    for (const [name, html] of Object.entries(waiting)) {
      const part = document.querySelector(`[data-part="${name}"]`);
      // Nobody is thrown out of what they are at.
      if (!part || part.contains(document.activeElement)) continue;
      part.innerHTML = html;
      delete waiting[name];
    }
  };

  const stop = () => {
    source?.close();
    source = null;
  };

  const end = (words) => {
    stop();
    paused = true;
    button.hidden = true;
    status.textContent = words;
  };

  const watch = () => {
    if (source || paused || document.hidden) return;
    const own = new EventSource(box.dataset.watch);
    source = own;
    own.addEventListener("figures", ({ data }) => show(JSON.parse(data)));
    own.addEventListener("over", () => end(box.dataset.over));
    // A connection that was lost is taken up again by the browser; an answer that is no stream is not.
    own.addEventListener("error", () => {
      if (own.readyState === EventSource.CLOSED) end(box.dataset.lost);
    });
  };

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? box.dataset.resume : pause;
    if (paused) stop();
    else watch();
  });
  // Nobody looks at a tab in the background.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : watch()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", watch);
}
