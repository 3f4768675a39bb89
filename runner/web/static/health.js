// The reconciler's answer on demand, and processes that follow the stack.
import { follow, post, refresh } from "./page.js";

const list = document.getElementById("answer"), button = document.getElementById("reconcile");
const line = (textContent, className = "") => Object.assign(document.createElement("li"), { textContent, className });

button.addEventListener("click", async () => {
  button.disabled = true;
  list.replaceChildren(line("looking …"));
  const found = await post("/health/reconcile.json");
  button.disabled = false;
  if (found.error) return list.replaceChildren(line(found.error, "bad"));
  const rows = found.unaccounted.map(({ key, problem }) => line(`✗ ${key || "a message"} ${problem}`, "bad"));
  const counts = Object.entries(found.accounted).filter(([, number]) => number).map(([name, number]) => `${number} ${name}`);
  list.replaceChildren(...rows, line(`${rows.length} unaccounted for; ${counts.join(", ") || "no file yet"}`));
});
follow(() => {}, () => refresh("health"));
setInterval(() => document.hidden || refresh("health").catch(() => {}), 5000);
