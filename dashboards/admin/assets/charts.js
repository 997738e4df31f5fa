// The values of a chart, where it is pointed at or has the focus.
// Hours as the server tells them are UTC; here by the viewer's own clock.
function local(root) {
  const hour = (at, more) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", ...more }).format(new Date(at));
  root.querySelectorAll(".chart text[data-at]").forEach((label) => { label.textContent = hour(label.dataset.at); });
  root.querySelectorAll(".chart g[data-at]").forEach((bar) => {
    const told = bar.dataset.tip.replace(/^.* UTC:/, `${hour(bar.dataset.at, { day: "numeric", month: "short" })}:`);
    bar.dataset.tip = told;
    bar.setAttribute("aria-label", told);
  });
}

export function charts(root) {
  local(root);
  root.addEventListener("replaced", (event) => local(event.target));
  let tip;
  const hide = () => { tip?.remove(); tip = undefined; };
  const show = (bar) => {
    hide();
    tip = root.createElement("div");
    tip.id = "tip";
    tip.textContent = bar.dataset.tip;
    root.body.append(tip);
    const at = bar.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8);
    // The policy forbids styles in a page, and not their change by a script.
    tip.style.left = `${left}px`;
    tip.style.top = `${Math.max(8, at.top - tip.offsetHeight - 6)}px`;
  };
  root.addEventListener("pointerover", (event) => { const bar = event.target.closest?.("[data-tip]"); if (bar) show(bar); else hide(); });
  root.addEventListener("focusin", (event) => { const bar = event.target.closest?.("[data-tip]"); if (bar) show(bar); });
  root.addEventListener("focusout", hide);
  root.addEventListener("scroll", hide, { passive: true });
}
