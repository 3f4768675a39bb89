// A group's box checks all its files. The list follows what fails while the page is open.
import { follow, refresh } from "./page.js";

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const box of event.target.closest("fieldset").querySelectorAll("[name=id]")) box.checked = event.target.checked;
});
let shown = null;
follow(
  ({ counts }) => {
    const number = counts?.["dead-lettered"];
    const isBusy = document.getElementById("failures").contains(document.activeElement);
    if (shown !== null && number !== shown && !isBusy) refresh("failures");
    shown = number;
  },
  () => refresh("failures"),
);
