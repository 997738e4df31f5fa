// Times: how long ago, kept right; on hover exact, by the viewer's clock and, where a page says it, by the lead's.
const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function apart(seconds) {
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  const [length, unit] = units.find(([length]) => size >= length);
  const amount = Math.floor(size / length);
  return seconds < 0 ? `${amount} ${unit} ago` : `in ${amount} ${unit}`;
}

function exact(at, zone) {
  const options = { dateStyle: "medium", timeStyle: "long" };
  if (zone) options.timeZone = zone;
  try {
    return new Intl.DateTimeFormat("en-GB", options).format(at);
  } catch {
    return ""; // A zone that this browser does not know.
  }
}

export function times(root) {
  const show = (time) => {
    const at = new Date(time.dateTime);
    if (!time.hasAttribute("data-exact")) time.textContent = apart((at - Date.now()) / 1000);
    const zone = time.closest("[data-zone]")?.dataset.zone;
    const lines = [`${exact(at)} (yours)`];
    if (zone) lines.push(`${exact(at, zone)} (theirs: ${zone})`);
    time.title = lines.join("\n");
    if (time.hasAttribute("data-exact")) time.textContent = exact(at, time.dataset.exact || undefined);
  };
  const all = () => root.querySelectorAll("time[datetime]").forEach(show);
  all();
  root.addEventListener("replaced", (event) => event.target.querySelectorAll("time[datetime]").forEach(show));
  setInterval(all, 5000);
}
