/** The blocks of the active chain, newest first, a page at a time. */

import { bytes, coins, number } from "../format.js";
import { accountLink, blockLink, card, heading, heightLink, pager, since, table } from "../parts.js";

const LIMIT = 25;

const COLUMNS = [
  { title: "Height", kind: "key", cell: (block) => heightLink(block.height, block.hash) },
  { title: "Hash", kind: "wide", cell: (block) => blockLink(block.hash) },
  { title: "Miner", kind: "wide", cell: (block) => (block.miner ? accountLink(block.miner) : null) },
  { title: "Transactions", kind: "number", cell: (block) => known(block.transactions, number) },
  { title: "Size", kind: "number", cell: (block) => known(block.size, bytes) },
  { title: "Reward", kind: "number", cell: (block) => known(block.reward, coins) },
  { title: "Time", kind: "number when", cell: (block) => since(block.time) },
];

export function blocks(page) {
  const before = page.parameters.get("before");
  const refresh = page.refresher(async () => {
    const { blocks: list, next } = await page.get("blocks", { before, limit: LIMIT });
    const newer = before && (Number(before) + LIMIT > (await page.get("status")).height ? "#/blocks" : `#/blocks?before=${Number(before) + LIMIT}`);
    page.show(
      "Blocks",
      heading("Blocks"),
      card(list.length ? `${number(list.at(-1).height)} to ${number(list[0].height)}` : "None", null, table("Blocks", COLUMNS, list, (block) => block.hash)),
      pager(newer, next === null ? null : `#/blocks?before=${next}`),
    );
  });
  page.on("tip", () => before === null && refresh());
  page.on("reorg", refresh);
}

/** Placeholder for values of a block whose body is missing. */
function known(value, format) {
  return value === undefined ? null : format(value);
}
