// Filters that somebody saved under a name: in their browser, for every page of the same kind.
import { tell } from "./toasts.js";

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const place = () => `outdial.filters:${location.pathname.replace(ID, "*")}`;
const read = () => { try { return JSON.parse(localStorage.getItem(place())) ?? []; } catch { return []; } };
const write = (all) => localStorage.setItem(place(), JSON.stringify(all));

function menu(root, form) {
  const [box, summary, list] = ["details", "summary", "div"].map((name) => root.createElement(name));
  box.className = "menu";
  summary.className = "button";
  summary.textContent = "Saved…";
  list.className = "stack";
  box.append(summary, list);
  const entry = ({ name, query }) => {
    const [row, link, remove] = ["div", "a", "button"].map((name) => root.createElement(name));
    row.className = "row";
    link.href = query;
    link.textContent = name;
    remove.type = "button";
    remove.className = "ghost small";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `Forget ${name}`);
    remove.addEventListener("click", () => { write(read().filter((known) => known.name !== name)); draw(); });
    row.append(link, remove);
    return row;
  };
  const draw = () => {
    const [label, name, save] = ["label", "input", "button"].map((name) => root.createElement(name));
    name.maxLength = 60;
    label.append("Save this view as", name);
    save.type = "button";
    save.textContent = "Save";
    const keep = () => {
      if (!name.value.trim()) return name.focus();
      const mine = { name: name.value.trim(), query: location.search || "?" };
      write([...read().filter((known) => known.name !== mine.name), mine]);
      tell(`Saved as ${mine.name}, in this browser.`);
      draw();
    };
    save.addEventListener("click", keep);
    name.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); keep(); } });
    list.replaceChildren(...read().map(entry), label, save);
  };
  draw();
  form.append(box);
}

export function saved(root) {
  root.querySelectorAll("form.filters[data-saved]").forEach((form) => menu(root, form));
}
