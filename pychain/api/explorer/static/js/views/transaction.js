/** One transaction: a transfer or a coinbase, in the mempool or in a block. */

import { h } from "../dom.js";
import { bytes, coins, count, date, memoText, number, quantity } from "../format.js";
import { accountLink, badge, card, copyButton, facts, heading, heightLink, long, since, sum } from "../parts.js";

export function transaction(page) {
  const refresh = page.refresher(async () => {
    const tx = await page.get(`tx/${page.name}`);
    const title = tx.type === "coinbase" ? "Coinbase" : "Transfer";
    page.show(
      `${title} ${tx.txid.slice(0, 8)}`,
      heading(title, place(tx)),
      payment(tx),
      card("Details", tx.blocktime && since(tx.blocktime), details(tx)),
      bytesOf(tx),
    );
  });
  page.on("tip reorg", refresh);
  page.on("tx", (event) => event.txid === page.name.toLowerCase() && refresh());
}

function place({ confirmations }) {
  return confirmations > 0 ? badge(count(confirmations, "confirmation"), "good") : badge("waiting in the mempool", "warn");
}

function payment(tx) {
  return h(
    "section",
    { class: "card payment", "aria-label": "Payment" },
    h("p", { class: "amount" }, sum(tx.amount), h("span", { class: "unit" }, " coins")),
    h("div", null, h("span", { class: "quiet" }, "from"), tx.type === "coinbase" ? badge("new coins", "good") : accountLink(tx.sender)),
    h("div", null, h("span", { class: "quiet" }, "to"), accountLink(tx.recipient)),
  );
}

function details(tx) {
  const entries = [
    ["Transaction id", long(tx.txid, { copy: true })],
    tx.blockhash
      ? ["Block", h("span", { class: "pair" }, heightLink(tx.blockheight, tx.blockhash), h("span", { class: "quiet" }, date(tx.blocktime)))]
      : ["Block", "none yet"],
  ];
  if (tx.type === "coinbase") {
    return facts([...entries, ["Height", number(tx.height)], ["Extra", memo(tx.extra)], ["Size", bytes(tx.size)]]);
  }
  return facts([
    ...entries,
    ["Fee", `${coins(tx.fee)} coins, ${quantity((tx.fee * 1000) / tx.size)} units per kB`],
    ["Sequence", number(tx.sequence)],
    ["Memo", tx.memo ? memo(tx.memo) : h("span", { class: "quiet" }, "none")],
    ["Size", bytes(tx.size)],
    ["Signature", long(tx.signature, { copy: true })],
  ]);
}

/** Untrusted bytes: as text if all of it is printable, else in hex. */
function memo(hex) {
  const text = memoText(hex);
  return text === null
    ? h("span", { class: "memo hex" }, hex, h("span", { class: "quiet" }, ` ${count(hex.length / 2, "byte")}`))
    : h("span", { class: "memo", dir: "auto" }, text);
}

function bytesOf(tx) {
  return h(
    "details",
    { class: "card raw" },
    h("summary", null, "Bytes"),
    h("div", { class: "memo hex" }, tx.hex, copyButton(tx.hex)),
  );
}
