/** The fork tree, the ends of its branches, and the reorganisations seen. */

import { h } from "../dom.js";
import { count, number } from "../format.js";
import { badge, blockLink, card, empty, heading, heightLink, table } from "../parts.js";
import { drawTree } from "../tree.js";

const DEPTHS = [20, 40, 100];
/** Heights shown on a narrow screen, unless more are requested. */
const NARROW_DEPTH = 20;
const DEPTH = 40;
const STATUS = {
  active: ["active", "good"],
  "valid-fork": ["valid", "warn"],
  "valid-headers": ["not checked yet", ""],
  "headers-only": ["headers only", ""],
  invalid: ["invalid", "bad"],
};
const MAX_ROWS = 100;
/** The width of a drawing's frame. */
const FRAME_PX = 36;

const COLUMNS = [
  { title: "Height", kind: "key", cell: (tip) => heightLink(tip.height, tip.hash) },
  { title: "Tip", kind: "wide", cell: (tip) => blockLink(tip.hash) },
  { title: "Own blocks", kind: "number", cell: (tip) => (tip.branchlen ? number(tip.branchlen) : null) },
  { title: "Status", kind: "flag", cell: (tip) => badge(...STATUS[tip.status]) },
];

export function forks(page) {
  const asked = Number(page.parameters.get("depth"));
  const depth = asked || (page.width < 600 ? NARROW_DEPTH : DEPTH);
  const refresh = page.refresher(async () => {
    const [tree, tips] = await Promise.all([page.get("tree", { depth }), page.get("tips")]);
    const { drawing, hidden } = drawTree(tree, page.width - FRAME_PX);
    page.show(
      "Forks",
      heading("Forks", h("p", { class: "sub" }, `${tips.length === 1 ? "one branch" : `${number(tips.length)} branches`}, the active one in green`)),
      card("Block tree", depths(depth), h("div", { class: "canvas" }, drawing, hidden > 0 && h("p", { class: "quiet" }, `${number(hidden)} more not drawn`)), legend(tree)),
      card("Branches", tips.length > MAX_ROWS ? h("span", { class: "quiet" }, `the first ${MAX_ROWS}`) : null, table("Branches", COLUMNS, tips.slice(0, MAX_ROWS), (tip) => tip.hash)),
      card("Reorganisations", h("span", { class: "quiet" }, "since this page was loaded"), reorganisations(page.reorgs)),
    );
  }, 250);
  page.on("tip reorg", refresh);
  page.onResize(refresh);
}

function depths(depth) {
  return h(
    "nav",
    { class: "choices", "aria-label": "Heights" },
    DEPTHS.map((each) => h("a", { href: `#/forks?depth=${each}`, "aria-current": each === depth ? "true" : null }, `${each}`)),
    h("span", { class: "quiet" }, "heights"),
  );
}

function legend(tree) {
  const there = new Set(tree.blocks.map((block) => block.status));
  const entries = Object.entries(STATUS).filter(([status]) => there.has(status));
  return h("p", { class: "legend quiet", "aria-hidden": "true" }, entries.map(([status, [text]]) => h("span", { class: `swatch ${status}` }, text)));
}

function reorganisations(list) {
  if (!list.length) return empty("None.", "Reorganisations are listed here, with the blocks that left the chain and those that joined it.");
  const rows = list.map((reorg) =>
    h(
      "li",
      { "data-key": `${reorg.old_tip.hash}-${reorg.new_tip.hash}` },
      h("div", { class: "middle" },
        h("span", null, `${count(reorg.depth, "block")} left above `, heightLink(reorg.fork.height, reorg.fork.hash), `, ${number(reorg.new_tip.height - reorg.fork.height)} joined`),
        h("span", { class: "quiet route" }, blockLink(reorg.old_tip.hash), "→", blockLink(reorg.new_tip.hash)),
      ),
    ),
  );
  return h("ol", { class: "feed" }, rows);
}
