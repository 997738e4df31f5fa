// Keys that lead somewhere, a sheet that tells of them, and a palette that finds pages, campaigns and leads.
const typing = (target) => target.matches?.("input, select, textarea, [contenteditable]");

function palette(root) {
  const dialog = root.getElementById("palette");
  const [input, list] = [dialog.querySelector("input"), dialog.querySelector("ul")];
  const pages = [...root.querySelectorAll("nav.side a")].map((link) => ({ name: link.textContent, what: "page", to: link.getAttribute("href") }));
  let [shown, chosen, asked] = [[], 0, 0];
  const draw = () => {
    list.replaceChildren(...shown.map((entry, place) => {
      const item = root.createElement("li");
      item.role = "option";
      item.id = `found-${place}`;
      item.setAttribute("aria-selected", String(place === chosen));
      const what = root.createElement("small");
      what.textContent = entry.what;
      item.append(entry.name, what);
      item.addEventListener("click", () => location.assign(entry.to));
      return item;
    }));
    input.setAttribute("aria-activedescendant", shown.length ? `found-${chosen}` : "");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  };
  const find = async () => {
    const wanted = input.value.trim();
    const mine = ++asked;
    const fits = pages.filter((page) => page.name.toLowerCase().includes(wanted.toLowerCase()));
    [shown, chosen] = [fits, 0];
    draw();
    if (!dialog.dataset.find || !wanted) return;
    const found = await fetch(`${dialog.dataset.find}?q=${encodeURIComponent(wanted)}`).then((answer) => answer.json()).catch(() => []);
    // An earlier answer that comes late says nothing any more.
    if (mine !== asked) return;
    shown = [...fits, ...found];
    draw();
  };
  input.addEventListener("input", find);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && shown.length) {
      event.preventDefault();
      chosen = (chosen + step + shown.length) % shown.length;
      draw();
    }
    if (event.key === "Enter" && shown[chosen]) location.assign(shown[chosen].to);
  });
  return () => {
    if (dialog.open) return;
    input.value = "";
    find();
    dialog.showModal();
  };
}

export function keys(root) {
  if (!root.getElementById("palette")) return;
  const open = palette(root);
  const help = root.getElementById("help");
  root.querySelectorAll("[data-open=palette]").forEach((button) => { button.hidden = false; button.addEventListener("click", open); });
  root.querySelectorAll("dialog").forEach((dialog) => dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); }));
  let after = 0;
  root.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      return open();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || root.querySelector("dialog[open]")) return;
    if (Date.now() - after < 1500) {
      after = 0;
      const link = root.querySelector(`nav.side a[data-key="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); return link.click(); }
    }
    const row = event.target.closest?.("tbody tr");
    const next = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling }[event.key];
    const link = next?.querySelector("a, button");
    if (link) { event.preventDefault(); return link.focus(); }
    if (event.key === "g") after = Date.now();
    if (event.key === "?") help.showModal();
    if (event.key === "/") {
      event.preventDefault();
      root.getElementById("search")?.focus();
    }
  });
}
