/** One account: its balance, and its transactions, newest first. */

import { h } from "../dom.js";
import { coins, count, memoText, number } from "../format.js";
import { accountLink, badge, card, empty, failure, heading, heightLink, long, pager, since, sum, table, tile, tiles, transactionLink } from "../parts.js";

const LIMIT = 25;
const DIRECTIONS = { in: ["received", "good"], out: ["sent", ""], self: ["to itself", ""], mined: ["mined", "good"] };

const COLUMNS = [
  { title: "What", kind: "key", cell: (tx) => badge(...DIRECTIONS[tx.direction]) },
  { title: "Transaction", kind: "wide", cell: (tx) => transactionLink(tx.txid) },
  { title: "With", kind: "wide", cell: (tx) => (tx.counterparty && accountLink(tx.counterparty)) },
  { title: "Memo", kind: "memo-short", cell: (tx) => short(tx.memo) },
  { title: "Amount", kind: "number amount", cell: (tx) => amount(tx) },
  { title: "Block", kind: "number", cell: (tx) => heightLink(tx.height, tx.blockhash) },
  { title: "Time", kind: "number when", cell: (tx) => since(tx.time) },
];

export function account(page) {
  const before = page.parameters.get("before");
  const refresh = page.refresher(async () => {
    const state = await page.get(`account/${page.name}`);
    let history;
    try {
      history = await page.get(`account/${page.name}/history`, { before, limit: LIMIT });
    } catch (error) {
      history = { error };
    }
    page.show(
      `Account ${state.address.slice(0, 12)}…`,
      heading("Account", h("p", { class: "sub" }, long(state.address, { copy: true }))),
      figures(state),
      card("History", h("span", { class: "quiet" }, before ? "older ones" : "newest first"), list(history)),
      pager(before && `#/account/${state.address}`, history.next && `#/account/${state.address}?before=${history.next}`, ["Newest", "Older"]),
    );
  }, 1_000);
  page.on("tip reorg", refresh);
  page.on("tx", ({ sender, recipient }) => (sender === page.name || recipient === page.name) && refresh());
}

function figures(state) {
  const held = BigInt(state.balance) - BigInt(state.available);
  return tiles(
    tile("Balance", sum(state.balance), "coins"),
    tile("Available", sum(state.available), held ? `${coins(held)} in waiting transfers` : "all of it"),
    tile("Immature", sum(state.immature), "rewards that are not credited yet"),
    tile("Sends next", `#${number(state.pending_sequence)}`, state.pending ? `${count(state.pending, "transfer")} waiting` : "none waiting"),
  );
}

function list(history) {
  if (history.error) return failure(history.error);
  if (!history.transactions.length) return empty("No transactions yet.", "Transactions of this account are listed here once they are in a block.");
  return table("History", COLUMNS, history.transactions, (tx) => tx.txid);
}

function amount(tx) {
  const spent = tx.direction === "out" || tx.direction === "self";
  const units = spent ? BigInt(tx.fee) + (tx.direction === "out" ? BigInt(tx.amount) : 0n) : BigInt(tx.amount);
  const title = spent && tx.fee ? `fee ${coins(tx.fee)} included` : null;
  return h("span", { class: spent ? "less" : "more", title }, `${spent && units ? "−" : "+"}${coins(units)}`);
}

function short(memo) {
  if (!memo) return null;
  const text = memoText(memo);
  return h("span", { class: "clipped", dir: "auto", title: text ?? memo }, text ?? `${count(memo.length / 2, "byte")}`);
}
