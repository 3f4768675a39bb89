// The drop zone: files and folders dropped anywhere on the page go into the inbox, below the folder that is chosen.
import { token } from "./page.js";

const cover = document.getElementById("drop-cover");
const dialog = document.getElementById("drop-dialog");
const folder = document.getElementById("drop-folder");
const note = document.getElementById("drop-note");
const bar = document.getElementById("drop-progress");
const send = document.getElementById("drop-send");
let chosen = [];

// Return the files below an entry, each with its path.
async function filesOf(entry, path = "") {
  if (entry.isFile) {
    return [{ path: path + entry.name, file: await new Promise((ok, no) => entry.file(ok, no)) }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((ok, no) => reader.readEntries(ok, no));
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesOf(one, `${path}${entry.name}/`)));
  }
}

async function choose(files) {
  chosen = files;
  if (!chosen.length) return;
  const list = document.getElementById("drop-list");
  list.replaceChildren(
    ...chosen.slice(0, 20).map(({ path }) => Object.assign(document.createElement("li"), { textContent: path })),
  );
  if (chosen.length > 20) list.append(Object.assign(document.createElement("li"), { textContent: `… ${chosen.length - 20} more` }));
  const answer = await fetch(`/routes/suggest.json?name=${encodeURIComponent(chosen[0].path)}`);
  const { takes, folders } = await answer.json();
  const options = document.getElementById("drop-folders");
  options.replaceChildren(...folders.map((name) => Object.assign(document.createElement("option"), { value: name })));
  const isPlaced = takes.length && chosen[0].path.includes("/");
  folder.value = isPlaced ? "" : folders[0] || "";
  describe();
  bar.hidden = true;
  send.disabled = false;
  dialog.showModal();
  folder.focus();
}

const keyOf = (path) => [folder.value.trim().replace(/^\/+|\/+$/g, ""), path].filter(Boolean).join("/");

async function describe() {
  const key = keyOf(chosen[0].path);
  const answer = await fetch(`/routes/suggest.json?name=${encodeURIComponent(key)}`);
  const { takes } = await answer.json();
  const names = takes.map((route) => [route.pipeline, route.location].filter(Boolean).join(" / "));
  note.textContent = names.length ? `${key} goes to ${names.join(", ")}` : `No pipeline takes ${key}: it will be skipped.`;
}

// XMLHttpRequest reports the progress of an upload, which fetch does not.
function put(key, file, onBytes) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/inbox?key=${encodeURIComponent(key)}`);
    request.setRequestHeader("X-Page-Token", token);
    request.upload.addEventListener("progress", (event) => onBytes(event.loaded));
    request.addEventListener("load", () =>
      request.status === 201 ? resolve() : reject(new Error(request.responseText.replace(/<[^>]*>/g, " ").slice(0, 300))),
    );
    request.addEventListener("error", () => reject(new Error(`${key} was not sent: the stack does not answer.`)));
    request.send(file);
  });
}

async function sendAll() {
  send.disabled = true;
  bar.hidden = false;
  bar.max = chosen.reduce((sum, { file }) => sum + file.size, 0) || 1;
  let before = 0;
  try {
    for (const { path, file } of chosen) {
      await put(keyOf(path), file, (bytes) => (bar.value = before + bytes));
      before += file.size;
    }
    dialog.close();
  } catch (error) {
    note.textContent = error.message;
    send.disabled = false;
  }
}

addEventListener("dragover", (event) => {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  cover.hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) cover.hidden = true;
});
addEventListener("drop", async (event) => {
  event.preventDefault();
  cover.hidden = true;
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  choose((await Promise.all(entries.map((entry) => filesOf(entry)))).flat());
});
document.getElementById("drop-files").addEventListener("change", (event) => {
  choose([...event.target.files].map((file) => ({ path: file.name, file })));
  event.target.value = "";
});
document.getElementById("drop-open").addEventListener("click", () => document.getElementById("drop-files").click());
document.getElementById("drop-cancel").addEventListener("click", () => dialog.close());
folder.addEventListener("input", describe);
dialog.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  sendAll();
});
