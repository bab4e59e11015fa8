/** The first page: the node at a glance, live. */

import { h } from "../dom.js";
import { bytes, coins, count, duration, hashRate, number, percent, quantity } from "../format.js";
import { accountLink, badge, blockLink, card, empty, heading, since, tile, tiles, transactionLink } from "../parts.js";
import { Recent } from "../recent.js";
import { drawTree } from "../tree.js";

const BLOCKS = 8;
/** Pixels per height in the drawing of the tree, on a wide screen and a narrow one, and the width of its frame. */
const PITCH_PX = [40, 26];
const FRAME_PX = 36;
/** Seconds between reads of values without events: rates while mining, steps of a sync. */
const LOOK_S = 3;

export function overview(page) {
  const recent = new Recent(page);
  let status = null;
  let chain = null;
  const show = page.painter(() => {
    if (status && chain) page.show("Overview", ...content(status, chain, recent.items, page.width - FRAME_PX));
  });
  const readStatus = page.refresher(async () => {
    status = await page.get("status");
    show();
  }, 1_000);
  const readChain = page.refresher(async () => {
    const depth = Math.floor((page.width - FRAME_PX) / PITCH_PX[page.width < 600 ? 1 : 0]) - 2;
    const [latest, tree] = await Promise.all([
      page.get("blocks", { limit: BLOCKS }),
      page.get("tree", { depth: Math.max(8, depth) }),
    ]);
    await recent.follow(latest.blocks);
    chain = { blocks: latest.blocks, tree };
    show();
  }, 500);
  page.on("tip peer tx", readStatus);
  page.on("tip", readChain);
  page.on("tx", (event) => {
    recent.note(event);
    show();
  });
  page.onResize(readChain);
  page.every(LOOK_S, () => (status?.mining || status?.sync.behind) && readStatus());
}

function content(status, chain, transfers, width) {
  return [
    heading("Overview", h("p", { class: "sub" }, tipLine(status))),
    status.sync.behind && sync(status),
    figures(status),
    card("Chain", h("a", { href: "#/forks" }, "Forks"), h("div", { class: "canvas" }, drawTree(chain.tree, width).drawing)),
    h("div", { class: "columns" }, blocks(chain.blocks, status), transactions(transfers)),
  ];
}

function tipLine(status) {
  return [h("span", null, "Block ", h("strong", null, number(status.height)), " came ", since(status.time)), blockLink(status.tip)];
}

function figures(status) {
  const { mempool, peers } = status;
  return tiles(
    tile("Height", number(status.height), `target: one every ${duration(status.spacing)}`),
    tile("Hash rate", hashRate(status.networkhashps), status.mining ? `${hashRate(status.hashespersec)} here` : "of the network"),
    tile("Difficulty", quantity(status.difficulty), "1 is Bitcoin's easiest"),
    tile("Mempool", count(mempool.size, "transfer"), `${bytes(mempool.bytes)}, ${coins(mempool.total_fee)} in fees`),
    tile("Peers", number(peers.inbound + peers.outbound), `${peers.inbound} in, ${peers.outbound} out`),
    tile("Mining", status.mining ? "on" : "off", status.mining ? hashRate(status.hashespersec) : "pychain node --mine"),
  );
}

function sync(status) {
  const { blocks, headers, progress, seconds_left } = status.sync;
  const left = seconds_left === null ? "" : `, about ${duration(seconds_left)} left`;
  return h(
    "section",
    { class: "card syncing", "aria-label": "Synchronisation" },
    h("p", null, h("strong", null, `Syncing, ${percent(progress)}`), ` ${number(blocks)} of ${number(headers)} blocks${left}`),
    h("progress", { max: 1, value: progress }),
  );
}

function blocks(list, status) {
  const all = h("a", { href: "#/blocks" }, "All blocks");
  if (status.height === 0) {
    return card("Latest blocks", all, empty("Only the genesis block so far.", mineHint(status)));
  }
  const rows = list.map((block) =>
    h(
      "li",
      { "data-key": block.hash },
      h("a", { class: "height", href: `#/block/${block.hash}` }, number(block.height)),
      h("div", { class: "middle" }, blockLink(block.hash), h("span", { class: "quiet" }, block.transactions === undefined ? "body not stored" : [count(block.transactions, "transaction"), " · ", bytes(block.size)])),
      h("div", { class: "end" }, since(block.time), block.reward !== undefined && h("span", { class: "quiet" }, `+${coins(block.reward)}`)),
    ),
  );
  return card("Latest blocks", all, h("ol", { class: "feed", id: "latest-blocks" }, rows));
}

function mineHint(status) {
  const how = status.dev ? "pychain rpc generatetoaddress 1 ADDRESS" : "pychain node --mine";
  return ["Mine one: ", h("code", null, how)];
}

function transactions(items) {
  const all = h("a", { href: "#/mempool" }, "Mempool");
  if (!items.length) {
    return card("Latest transfers", all, empty("No transfers yet.", ["Send one: ", h("code", null, "pychain wallet send ADDRESS 1.5")]));
  }
  const rows = items.map((item) =>
    h(
      "li",
      { "data-key": item.txid },
      h("div", { class: "middle" }, transactionLink(item.txid), h("span", { class: "quiet route" }, accountLink(item.sender), "→", accountLink(item.recipient))),
      h("div", { class: "end" }, h("span", { class: "amount" }, coins(item.amount)), state(item)),
    ),
  );
  return card("Latest transfers", all, h("ol", { class: "feed", id: "latest-transfers" }, rows));
}

function state(item) {
  if (item.block) return h("a", { class: "badge good", href: `#/block/${item.block.hash}` }, `in ${number(item.block.height)}`);
  return badge("waiting", "warn");
}
