// Shared by all pages: the token, and whether the page's process answers.
export const token = document.querySelector("meta[name=page-token]").content;
const banner = document.getElementById("connection");

export function connection(text) {
  banner.textContent = text;
  banner.hidden = !text;
}

// Return the answer to a request that does something.
export async function post(address) {
  return (await fetch(address, { method: "POST", headers: { "X-Page-Token": token } })).json();
}

// Replace parts of this page by those of a fresh one.
export async function refresh(...ids) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ids) {
    const old = document.getElementById(id), now = fresh.getElementById(id);
    if (old && now) old.replaceWith(now);
  }
}

// Call `onFiles` with each change; `onReturn` when the process answers again after a break.
export function follow(onFiles, onReturn) {
  const events = new EventSource("/live");
  let wasLost = false;
  events.addEventListener("files", (event) => onFiles(JSON.parse(event.data)));
  events.addEventListener("open", () => {
    connection("");
    if (wasLost) onReturn();
    wasLost = false;
  });
  events.addEventListener("error", () => {
    wasLost = true;
    connection("The stack does not answer. This page continues as soon as it does: run `runner up`.");
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(() => follow(onFiles, () => onReturn()), 1000);
    }
  });
}
