// The websocket's part in the page. The ws extension of htmx connects and swaps what comes; this says when it does not, and
// carries over what a swap cannot: the title, opened details, and which trades are new.

const LOST = "Connection lost, trying again";
const LIT_MS = 1000;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 8000;
const RETRIED_BY_EXTENSION = [1006, 1011, 1012, 1013];

let tries = 0; // since the last message: a server that takes a connection and closes it again has not recovered

/** Milliseconds until the next try: doubling up to a bound, spread so that pages do not all come at once. */
function retryDelay() {
  const delay = Math.min(RETRY_MIN_MS * 2 ** tries, RETRY_MAX_MS);
  tries += 1;
  return delay * (0.5 + Math.random() / 2);
}

/** Show in #status that the connection is lost, until something comes over it again. */
function tellOfLoss() {
  let before = null; // what the status said

  const say = ({ className, words, age }) => {
    const status = document.getElementById("status");
    const [said, beside] = status.children;
    const was = { className: status.className, words: said.innerHTML, age: beside.textContent };
    status.className = className;
    said.innerHTML = words;
    beside.textContent = age;
    return was;
  };
  const lost = () => {
    if (!before && document.getElementById("status")) before = say({ className: "status lost", words: LOST, age: "" });
  };
  document.body.addEventListener("htmx:wsError", lost);
  document.body.addEventListener("htmx:wsClose", ({ detail }) => {
    lost();
    // The extension takes the other codes for a farewell; a page that is still open wants its data nevertheless.
    if (!RETRIED_BY_EXTENSION.includes(detail.event.code)) setTimeout(detail.socketWrapper.reconnect, retryDelay());
  });
  document.body.addEventListener("htmx:wsBeforeMessage", () => {
    tries = 0;
    if (before) say(before);
    before = null;
  });
}

/** The greatest trade number on the tape, 0 if there is none. */
function newestTrade() {
  return Number(document.querySelector("#tape tr[data-seq]")?.dataset.seq ?? 0);
}

/** Mark the trades that a message brought, for the style sheet to light up. */
function markNewTrades() {
  let seen = newestTrade();
  document.body.addEventListener("htmx:wsAfterMessage", () => {
    const newest = newestTrade();
    if (newest === seen) return;
    const fresh = [];
    for (const row of document.querySelectorAll("#tape tr[data-seq]")) {
      if (Number(row.dataset.seq) <= seen) break;
      row.classList.add("new");
      fresh.push(row);
    }
    seen = newest;
    setTimeout(() => fresh.forEach((row) => row.classList.remove("new")), LIT_MS);
  });
}

/** Keep the page's title in step with the price. */
function followTitle() {
  document.body.addEventListener("htmx:wsAfterMessage", () => {
    const title = document.getElementById("summary")?.dataset.title;
    if (title && title !== document.title) document.title = title;
  });
}

/** Start all of it. Comes before htmx looks at the page, which it does when all scripts have run. */
export function followConnection() {
  htmx.config.wsReconnectDelay = retryDelay;
  // Whether details are open is the reader's business; the server's HTML only opens those in which something is wrong.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element, change) =>
    !(name === "open" && element.tagName === "DETAILS" && change === "remove");
  tellOfLoss();
  markNewTrades();
  followTitle();
}
