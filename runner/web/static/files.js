// Live rows: the server sends each changed row as it renders it; those that match the filter go to the top.
import { follow, refresh } from "./page.js";

const MOST_ROWS = 100;
const query = new URLSearchParams(location.search);
const [pipeline, place] = (query.get("pipeline") || "").split("/");

function matches({ file, outcome, pipeline: itsPipeline, location: itsLocation }) {
  return (
    file.includes((query.get("name") || "").trim()) &&
    (!query.get("outcome") || outcome === query.get("outcome")) &&
    (!pipeline || pipeline === itsPipeline) &&
    (!place || place === itsLocation)
  );
}

function showRows(html) {
  const body = document.getElementById("rows");
  const parsed = document.createElement("template");
  parsed.innerHTML = html;
  const known = new Map([...body.rows].map((row) => [row.dataset.file, row]));
  for (const row of [...parsed.content.querySelectorAll("tr")].reverse()) {
    const old = known.get(row.dataset.file);
    const focused = old && old.contains(document.activeElement);
    if (!matches(row.dataset)) {
      if (old) old.remove();
      continue;
    }
    if (old && old.dataset.outcome === row.dataset.outcome) {
      old.replaceWith(row);
    } else {
      if (old) old.remove();
      row.classList.add("fresh");
      body.prepend(row);
    }
    known.set(row.dataset.file, row);
    if (focused) row.querySelector("a")?.focus();
  }
  while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
  document.getElementById("empty").hidden = body.rows.length > 0;
}

function showCounts(counts) {
  for (const [outcome, number] of Object.entries(counts)) {
    const shown = document.querySelector(`[data-count="${outcome}"]`);
    if (!shown) continue;
    shown.textContent = String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
    shown.classList.toggle("zero", !number);
  }
}

for (const select of document.querySelectorAll(".filters select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
follow(
  (change) => {
    if (change.counts) showCounts(change.counts);
    if (change.rows && document.getElementById("files").dataset.live === "yes") showRows(change.rows);
  },
  () => refresh("rows", "empty"),
);
