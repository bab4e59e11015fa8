/** The block tree as a drawing: heights from left to right, the active branch on top, others in lanes below it. */

import { s } from "./dom.js";
import { number } from "./format.js";

/** Lanes below the active branch; branches that do not fit are counted, not drawn. */
const MAX_LANES = 6;
const LANE_PX = 34;
const TOP_PX = 20;
const AXIS_PX = 26;
const LABEL_PX = 64;
const NAMES = {
  active: "active",
  "valid-fork": "valid, on a branch",
  "valid-headers": "not checked yet",
  "headers-only": "header only",
  invalid: "invalid",
};

/**
 * Lanes of the blocks of a tree: {lanes: hash -> lane, hidden}. The active branch has lane 0; every other branch takes
 * the first lane that is free from its fork to its end.
 */
export function lanesOf(blocks) {
  const lanes = new Map();
  const branches = [];
  const branchOf = new Map();
  for (const block of blocks) {
    if (block.status === "active") {
      lanes.set(block.hash, 0);
      continue;
    }
    let branch = branchOf.get(block.previousblockhash);
    if (branch?.at(-1).hash !== block.previousblockhash) branches.push((branch = []));
    branch.push(block);
    branchOf.set(block.hash, branch);
  }
  const ends = new Array(MAX_LANES).fill(-1);
  let hidden = 0;
  for (const branch of branches) {
    const lane = ends.findIndex((end) => end < branch[0].height - 1);
    if (lane < 0) {
      hidden += 1;
      continue;
    }
    ends[lane] = branch.at(-1).height;
    for (const block of branch) lanes.set(block.hash, lane + 1);
  }
  return { lanes, hidden };
}

/** The drawing for a width in CSS pixels: {drawing, hidden}. */
export function drawTree(tree, width) {
  const { lanes, hidden } = lanesOf(tree.blocks);
  const shown = tree.blocks.filter((block) => lanes.has(block.hash));
  const low = shown[0].height;
  const high = shown.at(-1).height;
  const pitch = Math.min(52, width / (high - low + 1.5));
  const size = Math.max(5, Math.min(18, pitch * 0.62));
  const depth = Math.max(...shown.map((block) => lanes.get(block.hash)));
  const bottom = TOP_PX + depth * LANE_PX + AXIS_PX;
  const x = (height) => (height - low + 0.75) * pitch;
  const y = (hash) => TOP_PX + lanes.get(hash) * LANE_PX;
  const label = `Block tree from height ${number(low)} to ${number(high)}, ${depth ? `${depth} lanes of branches` : "no branches"}`;
  const parts = shown.map((block) => edge(block, x, y, lanes, pitch));
  const nodes = shown.map((block) => node(block, x(block.height), y(block.hash), size, block.hash === tree.tip));
  const drawing = s("svg", { class: "tree", width, height: bottom, viewBox: `0 0 ${width} ${bottom}`, role: "group", "aria-label": label }, parts, nodes, axis(low, high, x, bottom, pitch));
  return { drawing, hidden };
}

function edge(block, x, y, lanes, pitch) {
  if (!block.previousblockhash) return null;
  const to = [x(block.height), y(block.hash)];
  const from = lanes.has(block.previousblockhash) ? [x(block.height - 1), y(block.previousblockhash)] : [to[0] - pitch, to[1]];
  const middle = (from[0] + to[0]) / 2;
  const path = `M${from}C${[middle, from[1]]} ${[middle, to[1]]} ${to}`;
  return s("path", { class: `edge ${block.status}`, d: path, "data-key": `to-${block.hash}` });
}

function node(block, x, y, size, isTip) {
  const title = `Block ${number(block.height)}, ${NAMES[block.status]}${isTip ? ", the tip" : ""}`;
  const half = size / 2;
  return s(
    "a",
    { href: `#/block/${block.hash}`, "data-key": block.hash, class: `node ${block.status}${isTip ? " tip" : ""}`, "aria-label": title, tabindex: block.status === "active" && !isTip ? -1 : null },
    s("title", null, title),
    s("rect", { x: x - half, y: y - half, width: size, height: size, rx: size * 0.28 }),
  );
}

function axis(low, high, x, bottom, pitch) {
  const step = Math.max(1, niceStep(LABEL_PX / pitch));
  const labels = [];
  for (let height = Math.ceil(low / step) * step; height <= high; height += step) {
    labels.push(s("text", { x: x(height), y: bottom - 6, "text-anchor": "middle", "data-key": `at-${height}` }, number(height)));
  }
  return s("g", { class: "axis", "aria-hidden": "true", "data-key": "axis" }, labels);
}

function niceStep(least) {
  return [1, 2, 5, 10, 20, 50, 100, 200, 500].find((step) => step >= least) ?? 1000;
}
