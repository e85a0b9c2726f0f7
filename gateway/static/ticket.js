// Help with the order form: prices from the ladder, times in force that go with the kind, and a word when no answer came.

const NO_ANSWER =
  "No answer came, so it is unknown whether the order was taken. Send it again to find out: the same order is never taken twice.";
const REFUSED = "The server refused this request, and nothing was sent to the exchange. Load the page again, and try once more.";
const NOT_CANCELLED = "The cancellation was not confirmed. Look at the order's state, and try again if it is still open.";

/** Put a price of the ladder into the form. */
function takePrice(price) {
  const field = document.getElementById("price");
  if (field) field.value = price;
}

/** Offer the times in force that go with the kind of order. */
function limitTimesInForce() {
  const kind = document.getElementById("kind")?.value;
  for (const option of document.querySelectorAll("#time_in_force option")) {
    option.disabled = !option.dataset.kinds.split(" ").includes(kind);
  }
}

/** Give an order of another kind the time in force that is usual for it, the first of its own, and nothing that it cannot have. */
function changeKind() {
  limitTimesInForce();
  const kind = document.getElementById("kind").value;
  for (const field of document.querySelectorAll("#order [data-for]")) {
    if (!field.dataset.for.split(" ").includes(kind)) field.querySelector("input, select").value = "";
  }
  document.getElementById("time_in_force").value = document.querySelector("#time_in_force option:not(:disabled)").value;
}

function say(tone, words) {
  const notice = document.getElementById("notice");
  if (!notice) return;
  notice.className = `notice ${tone}`;
  notice.textContent = words;
}

/** Start all of it. */
export function helpWithOrders() {
  document.body.addEventListener("click", ({ target }) => {
    const price = target.closest("[data-price]")?.dataset.price;
    if (price) takePrice(price);
  });
  document.body.addEventListener("change", ({ target }) => {
    if (target.name === "kind") changeKind();
  });
  document.body.addEventListener("htmx:afterRequest", limitTimesInForce);
  for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.body.addEventListener(failure, ({ target, detail }) => {
      const { status } = detail.xhr; // 0 without an answer
      if (status >= 400 && status < 500) say("bad", REFUSED);
      else say("unknown", target.id === "order" ? NO_ANSWER : NOT_CANCELLED);
    });
  }
  limitTimesInForce();
}
