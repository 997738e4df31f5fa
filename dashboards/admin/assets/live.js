// Parts of a page that the server sends anew as they change.
export function live(root) {
  const main = root.querySelector("main[data-live]");
  if (!main) return;
  const source = new EventSource(main.dataset.live);
  let waiting;
  source.addEventListener("open", () => { clearTimeout(waiting); main.classList.remove("stale"); });
  source.addEventListener("error", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => main.classList.add("stale"), 3000);
    // Turned away for good, as by a session that is over: the page itself says more.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  });
  source.addEventListener("part", (event) => {
    const { id, html } = JSON.parse(event.data);
    const part = root.getElementById(id);
    // Nobody's typing or listening is interrupted, nor a menu or an open form closed.
    const busy = part?.contains(root.activeElement) && root.activeElement.matches("input, select, textarea");
    const plays = part && [...part.querySelectorAll("audio")].some((audio) => !audio.paused);
    if (!part || busy || plays || part.querySelector("details.menu[open], details[open] form")) return;
    const focus = part.contains(root.activeElement) ? [...part.querySelectorAll("a, button, time, g[tabindex]")].indexOf(root.activeElement) : -1;
    part.innerHTML = html;
    if (focus >= 0) part.querySelectorAll("a, button, time, g[tabindex]")[focus]?.focus({ preventScroll: true });
    part.dispatchEvent(new Event("replaced", { bubbles: true }));
  });
  addEventListener("pagehide", () => source.close());
}
