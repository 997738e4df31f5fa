// Orders are sent by script, so that nothing typed is lost where one is refused; where they change much, they ask first.
import { tell } from "./toasts.js";

export const proof = () => document.querySelector("meta[name=csrf]")?.content ?? "";

function mark(form, places) {
  form.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
  const named = places.map((place) => form.elements[place.split(/[.[]/)[0]] ?? form.elements[place]);
  const first = named.find((field) => field instanceof HTMLElement);
  first?.setAttribute("aria-invalid", "true");
  first?.focus();
}

async function send(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  const headers = { "x-outdial-csrf": proof(), accept: "application/json" };
  const answer = await fetch(submitter?.getAttribute("formaction") ?? form.getAttribute("action"), { method: "POST", body, headers });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    tell(told.said ?? `The server answered ${answer.status}. Try again.`, false);
    mark(form, told.places ?? []);
    return;
  }
  const here = location.pathname + location.search;
  if (told.to === here) location.reload();
  else location.assign(told.to);
}

export function forms(root) {
  root.addEventListener("submit", async (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (question && !confirm(question)) return event.preventDefault();
    if (form.method !== "post" || form.hasAttribute("data-plain") || event.submitter?.hasAttribute("data-plain") || !form.matches("main form, .toast form")) return;
    event.preventDefault();
    const buttons = [...form.querySelectorAll("button")];
    const answered = send(form, event.submitter);
    buttons.forEach((button) => { button.disabled = true; });
    try {
      await answered;
    } catch {
      tell("The server could not be reached. Nothing that you typed is lost; try again.", false);
    }
    buttons.forEach((button) => { button.disabled = false; });
  });
  // Filters take effect as they are chosen.
  root.addEventListener("change", (event) => {
    if (event.target.matches("form.filters select")) event.target.form.requestSubmit();
  });
  // An address without what was left empty can be read and passed on.
  root.addEventListener("formdata", (event) => {
    if (event.target.method !== "get") return;
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
  // One menu at a time, closed by a click elsewhere or by Escape.
  const close = (but) => root.querySelectorAll("details.menu[open]").forEach((menu) => { if (menu !== but) menu.open = false; });
  root.addEventListener("click", (event) => close(event.target.closest("details.menu")));
  root.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  // The other days of a choice that only some choices need.
  root.querySelectorAll("[data-shows]").forEach((choice) => {
    const show = () => root.querySelectorAll(`[data-shown-by="${choice.name}"]`).forEach((part) => {
      part.hidden = !part.dataset.when.split(" ").includes(choice.value);
    });
    choice.addEventListener("change", show);
    show();
  });
}
