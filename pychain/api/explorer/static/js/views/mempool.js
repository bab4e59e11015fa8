/** The transfers in the mempool, highest fee rates first, and their sizes by fee rate. */

import { h, s } from "../dom.js";
import { bytes, coins, count, number, percent, quantity } from "../format.js";
import { accountLink, card, empty, heading, pager, since, sum, table, tile, tiles, transactionLink } from "../parts.js";

const LIMIT = 50;

const COLUMNS = [
  { title: "Transfer", kind: "wide key", cell: (tx) => transactionLink(tx.txid) },
  { title: "From", kind: "wide", cell: (tx) => accountLink(tx.sender) },
  { title: "To", kind: "wide", cell: (tx) => accountLink(tx.recipient) },
  { title: "Amount", kind: "number amount", cell: (tx) => coins(tx.amount) },
  { title: "Fee", kind: "number", cell: (tx) => coins(tx.fee) },
  { title: "Fee rate", kind: "number", cell: (tx) => quantity(tx.feerate) },
  { title: "Arrived", kind: "number when", cell: (tx) => since(tx.time) },
];

export function mempool(page) {
  const offset = Number(page.parameters.get("offset") ?? 0);
  const refresh = page.refresher(async () => {
    const pool = await page.get("mempool", { offset, limit: LIMIT });
    page.show("Mempool", heading("Mempool", h("p", { class: "sub" }, "Transfers waiting to be mined")), figures(pool), content(pool, offset));
  }, 1_000);
  page.on("tx tip", refresh);
}

function figures(pool) {
  return tiles(
    tile("Waiting", count(pool.size, "transfer")),
    tile("Size", bytes(pool.bytes), `${percent(pool.usage / pool.maxmempool)} of ${bytes(pool.maxmempool)}`),
    tile("Fees", sum(pool.total_fee), "coins for the miners"),
    tile("Least fee rate", quantity(pool.minrelaytxfee), "base units per kB"),
  );
}

function content(pool, offset) {
  if (!pool.size) {
    return card("Nothing is waiting", null, empty("The mempool is empty.", ["Send a transfer: ", h("code", null, "pychain wallet send ADDRESS 1.5")]));
  }
  const at = (start) => (start > 0 ? `#/mempool?offset=${start}` : "#/mempool");
  const end = offset + pool.transactions.length;
  return [
    card("By fee rate", h("span", { class: "quiet" }, "base units per kB; bars by bytes"), bands(pool.bands)),
    card(
      "Highest fee rate first",
      h("span", { class: "quiet" }, pool.transactions.length ? `${number(offset + 1)} to ${number(end)} of ${number(pool.size)}` : `${number(pool.size)} in all`),
      table("Waiting transfers", COLUMNS, pool.transactions, (tx) => tx.txid),
    ),
    pager(offset > 0 ? at(Math.max(0, offset - LIMIT)) : null, end < pool.size && end > offset ? at(end) : null, ["Previous", "Next"]),
  ];
}

function bands(list) {
  const most = Math.max(...list.map((band) => band.bytes));
  const rows = [...list].reverse().map((band) =>
    h(
      "li",
      { "data-key": band.feerate },
      h("span", { class: "rate" }, band.feerate ? `≥ ${quantity(band.feerate)}` : "none"),
      s("svg", { class: "bar", "aria-hidden": "true" }, s("rect", { width: `${Math.max(0.5, (band.bytes / most) * 100)}%`, height: "100%", rx: 4 })),
      h("span", { class: "much" }, `${number(band.count)}`, h("span", { class: "quiet" }, ` · ${bytes(band.bytes)}`)),
    ),
  );
  return h("ol", { class: "bands", "aria-label": "Waiting transfers by fee rate" }, rows);
}
