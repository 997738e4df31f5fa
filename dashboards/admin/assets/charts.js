// The values of a chart, where it is pointed at or has the focus.
export function charts(root) {
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
