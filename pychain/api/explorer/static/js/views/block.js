/** One block of any branch, with a page of its transactions. */

import { h } from "../dom.js";
import { bytes, coins, count, date, number, quantity } from "../format.js";
import { accountLink, badge, blockLink, card, empty, facts, heading, long, pager, since, table, transactionLink } from "../parts.js";

const LIMIT = 50;

const COLUMNS = [
  { title: "Transaction", kind: "wide key", cell: (tx) => transactionLink(tx.txid) },
  { title: "From", kind: "wide", cell: (tx) => (tx.type === "coinbase" ? badge("new coins", "good") : accountLink(tx.sender)) },
  { title: "To", kind: "wide", cell: (tx) => accountLink(tx.recipient) },
  { title: "Amount", kind: "number amount", cell: (tx) => coins(tx.amount) },
  { title: "Fee", kind: "number", cell: (tx) => (tx.type === "coinbase" ? null : coins(tx.fee)) },
];

export function block(page) {
  const offset = Number(page.parameters.get("offset") ?? 0);
  let content = null; // size, transactions, tx and next: they never change
  let name = page.name;
  const refresh = page.refresher(async () => {
    let header;
    if (content === null) {
      [header, content] = await read(page, name, offset);
      name = header.hash; // after a reorganisation another block may have this height
    } else {
      header = await page.get(`header/${name}`);
    }
    page.show(`Block ${number(header.height)}`, top(header), details(header, content), content && transactions(header, content, offset));
  });
  page.on("tip reorg", refresh);
}

/** Header and content; the content is null if the block's body is not stored. */
async function read(page, name, offset) {
  try {
    const whole = await page.get(`block/${name}`, { offset, limit: LIMIT });
    return [whole, whole];
  } catch (error) {
    if (error.status !== 503) throw error;
    return [await page.get(`header/${name}`), null];
  }
}

function top(header) {
  const step = (hash, text, rel) => (hash ? h("a", { class: "button", href: `#/block/${hash}`, rel }, text) : null);
  return heading(
    `Block ${number(header.height)}`,
    place(header),
    h("nav", { class: "steps", "aria-label": "Neighbours" }, step(header.previousblockhash, "← Parent", "prev"), step(header.nextblockhash, "Next →", "next")),
  );
}

function place({ confirmations }) {
  return confirmations < 0 ? badge("not in the active chain", "warn") : badge(count(confirmations, "confirmation"), "good");
}

function details(header, content) {
  return card(
    "Header",
    null,
    facts([
      ["Hash", long(header.hash, { copy: true })],
      ["Time", h("span", { class: "pair" }, date(header.time), h("span", { class: "quiet" }, since(header.time)))],
      content && ["Content", `${count(content.transactions, "transaction")}, ${bytes(content.size)}`],
      ["Difficulty", quantity(header.difficulty)],
      ["Target", h("span", { class: "pair" }, long(header.target), h("span", { class: "quiet" }, `bits ${header.bits}`))],
      ["Nonce", `${number(header.nonce)}, version ${header.versionHex}`],
      ["Merkle root", long(header.merkleroot, { copy: true })],
      ["Work up to here", `${quantity(Number(BigInt(`0x${header.chainwork}`)))} hashes`],
      header.previousblockhash && ["Parent", blockLink(header.previousblockhash)],
    ]),
    !content && empty("The block's body has not arrived yet.", "Its header is known; the transactions follow when a peer sends them."),
  );
}

function transactions(header, content, offset) {
  const at = (start) => `#/block/${header.hash}${start > 0 ? `?offset=${start}` : ""}`;
  const shown = `${number(offset + 1)} to ${number(offset + content.tx.length)} of ${number(content.transactions)}`;
  return [
    card(
      "Transactions",
      h("span", { class: "quiet" }, content.tx.length ? shown : "none here"),
      table("Transactions", COLUMNS, content.tx, (tx) => tx.txid),
    ),
    pager(offset > 0 ? at(Math.max(0, offset - LIMIT)) : null, content.next === null ? null : at(content.next), ["Previous", "Next"]),
  ];
}
