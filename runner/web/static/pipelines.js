// Which pipeline takes a name, as it is typed; and what `runner check` finds.
import { post } from "./page.js";

const input = document.getElementById("try-name"), takes = document.getElementById("takes");
let timer = 0;

input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const name = input.value.trim();
    if (!name) return void (takes.textContent = "");
    const found = await (await fetch(`/routes/suggest.json?name=${encodeURIComponent(name)}`)).json();
    if (name !== input.value.trim()) return;
    const names = found.takes.map((route) => [route.pipeline, route.location].filter(Boolean).join(" / "));
    takes.textContent = names.length
      ? `goes to ${names.join(", ")}`
      : `No pipeline takes it.${found.folders.length ? ` In a folder it would: ${found.folders.join(", ")}` : ""}`;
  }, 80);
});

function item({ severity, file, line, message, editor }) {
  const row = document.createElement("li");
  row.className = severity === "error" ? "bad" : "";
  const place = document.createElement(editor ? "a" : "span");
  place.className = "mono";
  place.textContent = `${file}:${line}`;
  if (editor) place.href = editor;
  row.append(place, ` ${message}`);
  return row;
}

document.getElementById("check").addEventListener("click", async (event) => {
  const list = document.getElementById("problems"), button = event.target;
  button.disabled = true;
  list.replaceChildren(Object.assign(document.createElement("li"), { textContent: "checking …" }));
  const found = await post("/pipelines/check.json");
  button.disabled = false;
  const rows = found.error
    ? [Object.assign(document.createElement("li"), { className: "bad", textContent: found.error })]
    : found.problems.map(item);
  list.replaceChildren(...rows);
  if (!rows.length) list.append(Object.assign(document.createElement("li"), { textContent: "✔ no problems" }));
});
