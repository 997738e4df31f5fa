// Files: chosen or dropped, their columns told, checked, and sent as they are.
import { proof } from "./forms.js";
import { tell } from "./toasts.js";

const HEAD_BYTES = 64 * 1024;
// What a column may be, by the name under which it is understood, and other names that people use.
const MEANINGS = {
  phone: ["phone", "mobile", "cell", "tel", "whatsapp", "msisdn", "number", "contact"],
  name: ["name", "fullname", "person"],
  "first name": ["firstname", "givenname", "fname"],
  "last name": ["lastname", "surname", "lname"],
  "time zone": ["timezone", "zone", "tz"],
  region: ["region", "isoregion"],
  country: ["country"],
  "external id": ["externalid", "leadid", "crmid", "customerid", "id"],
  priority: ["priority"],
  consent: ["consent", "consentlevel"],
  "consent source": ["consentsource"],
  "consent at": ["consentat", "consentdate"],
};
const plain = (name) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
const known = (name) => Object.keys(MEANINGS).find((meaning) => MEANINGS[meaning].includes(plain(name)))
  ?? Object.keys(MEANINGS).find((meaning) => meaning === "phone" && MEANINGS.phone.some((word) => plain(name).includes(word) && word.length > 2)) ?? "";

// Rows of CSV at the head of a file, and where its first row ends.
function rows(text, delimiter, most) {
  const found = [];
  let [row, cell, quoted, end] = [[], "", false, -1];
  for (let at = 0; at < text.length && found.length < most; at += 1) {
    const c = text[at];
    if (quoted) {
      if (c === '"' && text[at + 1] === '"') { cell += c; at += 1; } else if (c === '"') quoted = false;
      else cell += c;
    } else if (c === '"') quoted = true;
    else if (c === delimiter) { row.push(cell); cell = ""; }
    else if (c === "\n") {
      row.push(cell.replace(/\r$/, ""));
      if (row.some((value) => value !== "")) {
        found.push(row);
        if (end < 0) end = at;
      }
      [row, cell] = [[], ""];
    } else cell += c;
  }
  if (found.length < most && (cell || row.length)) found.push([...row, cell]);
  return { found, end: end < 0 ? text.length : end };
}

function delimiterOf(text) {
  const line = text.slice(0, text.search(/\r?\n|$/));
  const counts = [",", ";", "\t"].map((delimiter) => [line.split(delimiter).length, delimiter]);
  return counts.sort((one, other) => other[0] - one[0])[0][1];
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

const quote = (cell, delimiter) => (cell.includes(delimiter) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

// By a request that tells how much of it is sent.
function send(url, body, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("content-type", "text/csv");
    request.setRequestHeader("x-outdial-csrf", proof());
    request.upload.addEventListener("progress", (event) => { progress.max = event.total; progress.value = event.loaded; });
    request.addEventListener("load", () => {
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* Not of ours: the status says enough. */ }
      if (request.status < 300) resolve(told);
      else reject(new Error(told.detail ?? told.said ?? `The server answered ${request.status}.`));
    });
    request.addEventListener("error", () => reject(new Error("The server could not be reached. The file is still chosen; try again.")));
    request.send(body);
  });
}

function upload(box) {
  const part = (name) => box.querySelector(`[data-${name}]`);
  const [input, drop, chosen] = [box.querySelector("input[type=file]"), box.querySelector(".drop"), part("chosen")];
  const columns = box.hasAttribute("data-columns");
  let [file, head, delimiter, header] = [undefined, undefined, ",", []];

  async function choose(given) {
    if (!given) return;
    file = given;
    part("name").textContent = file.name;
    part("size").textContent = size(file.size);
    chosen.hidden = false;
    part("result").replaceChildren();
    if (!columns) return;
    const bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
    let text;
    // Only of UTF-8 the columns can be renamed here; of other encodings the server reads them as they are.
    try { text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true }); } catch { text = undefined; }
    part("map").replaceChildren();
    head = undefined;
    if (text === undefined) return;
    delimiter = delimiterOf(text);
    const { found, end } = rows(text, delimiter, 4);
    header = found[0] ?? [];
    head = new TextEncoder().encode(text.slice(0, end)).length + (bytes[0] === 0xef && bytes[1] === 0xbb ? 3 : 0);
    const taken = new Set();
    part("map").replaceChildren(...header.map((name, place) => {
      const line = document.createElement("tr");
      const cells = [name || `column ${place + 1}`, found.slice(1).map((row) => row[place] ?? "").filter(Boolean).join(" · ")].map((said) => {
        const cell = document.createElement("td");
        cell.textContent = said;
        return cell;
      });
      const choice = document.createElement("select");
      choice.setAttribute("aria-label", `What ${name} is`);
      const is = taken.has(known(name)) ? "" : known(name);
      if (is) taken.add(is);
      for (const meaning of ["", ...Object.keys(MEANINGS)]) choice.add(new Option(meaning || "an attribute", meaning, false, meaning === is));
      choice.dataset.was = is;
      const cell = document.createElement("td");
      cell.append(choice);
      line.append(...cells, cell);
      return line;
    }));
  }

  // The file as it is, but for the names of columns that somebody said are something else.
  function renamed() {
    const choices = [...box.querySelectorAll("[data-map] select")];
    const changed = choices.some((choice) => choice.value !== choice.dataset.was || (choice.value && known(header[choices.indexOf(choice)]) !== choice.value));
    const meanings = choices.map((choice) => choice.value).filter(Boolean);
    if (columns && head !== undefined && choices.length && !meanings.includes("phone")) throw new Error("Say which column has the phone number.");
    const twice = meanings.find((meaning, place) => meanings.indexOf(meaning) !== place);
    if (twice) throw new Error(`Two columns are said to be the ${twice}; only one can be.`);
    const guessed = choices.some((choice, place) => choice.value && !MEANINGS[choice.value].includes(plain(header[place])));
    if (head === undefined || (!changed && !guessed)) return file;
    // An attribute must not be taken for what it was said not to be.
    const names = choices.map((choice, place) => choice.value || (known(header[place]) ? `${header[place]} (column)` : header[place]));
    return new Blob([names.map((name) => quote(name, delimiter)).join(delimiter), file.slice(head)], { type: "text/csv" });
  }

  async function go(dry) {
    const asked = new URLSearchParams(columns ? { name: file.name } : {});
    box.querySelectorAll("[data-param]").forEach((field) => { if (field.value.trim()) asked.set(field.dataset.param, field.value.trim()); });
    if (asked.has("consent_source") && !asked.has("consent")) asked.delete("consent_source");
    if (dry) asked.set("dry_run", "true");
    const progress = part("progress");
    const buttons = [...box.querySelectorAll("button")];
    progress.hidden = false;
    buttons.forEach((button) => { button.disabled = true; });
    try {
      const told = await send(`${box.dataset.upload}?${asked}`, renamed(), progress);
      if (!dry && box.dataset.done) return location.assign(`${box.dataset.done}${told.id}`);
      result(told, dry);
    } catch (error) {
      tell(error.message, false);
    } finally {
      progress.hidden = true;
      buttons.forEach((button) => { button.disabled = false; });
    }
  }

  function result(told, dry) {
    const line = document.createElement("p");
    const n = (number) => (number ?? 0).toLocaleString("en");
    line.textContent = dry
      ? `${n(told.rows)} rows: ${n(told.accepted)} would be leads, ${n(told.duplicates)} stand there twice, ${n(told.problems_total)} are no leads.`
      : `${n(told.rows)} rows: ${n(told.added)} numbers are new on the list, ${n(told.already)} were there, ${n(told.problems_total)} rows have no number.`;
    const problems = document.createElement("table");
    for (const problem of (told.problems ?? []).slice(0, 100)) {
      const row = problems.insertRow();
      for (const said of [`line ${problem.line}`, problem.column ?? "", problem.value ?? "", problem.problem]) row.insertCell().textContent = said;
    }
    part("result").replaceChildren(line, problems);
  }

  input.addEventListener("change", () => choose(input.files[0]));
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    choose(event.dataTransfer.files[0]);
  });
  part("check")?.addEventListener("click", () => go(true));
  part("send").addEventListener("click", () => go(false));
}

export function files(root) {
  root.querySelectorAll("[data-upload]").forEach(upload);
}
