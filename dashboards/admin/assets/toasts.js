// What was done or refused, told at the edge of the page until it was read.
const READ_MS = 6000;

function leave(toast) {
  // What can be undone, and what went wrong, stays longer.
  const longer = toast.querySelector("form") || toast.classList.contains("bad");
  let timer;
  const wait = () => { timer = setTimeout(() => toast.remove(), longer ? READ_MS * 3 : READ_MS); };
  toast.addEventListener("pointerenter", () => clearTimeout(timer));
  toast.addEventListener("pointerleave", wait);
  toast.addEventListener("focusin", () => clearTimeout(timer));
  wait();
}

export function tell(text, good = true) {
  const toast = document.createElement("div");
  toast.className = `toast ${good ? "good" : "bad"}`;
  const line = document.createElement("span");
  line.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "ghost small";
  close.textContent = "×";
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", () => toast.remove());
  toast.append(line, close);
  document.getElementById("toasts")?.append(toast);
  leave(toast);
}

export function toasts(root) {
  root.querySelectorAll("[data-toast]").forEach(leave);
}
