/** A search: go to the result, or explain what can be searched. */

import { h } from "../dom.js";
import { card, heading } from "../parts.js";

const ROUTES = {
  block: (found) => `#/block/${found.hash}`,
  transaction: (found) => `#/tx/${found.txid}`,
  account: (found) => `#/account/${found.address}`,
};

export function search(page) {
  const text = page.parameters.get("q") ?? "";
  page.refresher(async () => {
    const found = await page.get("search", { q: text.slice(0, 128) });
    const route = ROUTES[found.kind];
    if (route) location.replace(route(found));
    else page.show("Nothing found", heading("Nothing found"), nothing(text));
  });
}

function nothing(text) {
  return card(
    "Looked for",
    null,
    h("div", { class: "empty" },
      h("p", { class: "memo hex" }, text || "nothing entered"),
      h("p", { class: "hint" }, "A search finds a block by its height or its whole hash, a transaction by its whole id, and an account by its address."),
      h("p", { class: "hint" }, "Replaced transactions and addresses of other networks are not found."),
    ),
  );
}
