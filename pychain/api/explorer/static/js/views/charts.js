/** Difficulty, hash rate and block interval over time. */

import { LineChart } from "../chart.js";
import { h } from "../dom.js";
import { hashRate, number, quantity, seconds } from "../format.js";
import { heading } from "../parts.js";

const POINTS = 200;
const RANGES = [100, 1_000, 10_000, null];
const DEFAULT = 1_000;

/** The part of a line over which its points are averaged: single blocks come at random. */
const MEAN_SHARE = 1 / 16;

export function charts(page) {
  const asked = page.parameters.get("blocks");
  const blocks = asked === "all" ? null : Number(asked) || DEFAULT;
  const lines = [
    new LineChart("Hash rate", (sample) => sample.hashrate, hashRate),
    new LineChart("Difficulty", (sample) => sample.difficulty, quantity),
    new LineChart("Time between blocks", (sample) => sample.interval, seconds),
  ];
  const refresh = page.refresher(async () => {
    const { samples } = await page.get("series", { points: POINTS, blocks });
    if (!lines[0].element.isConnected) page.show("Charts", heading("Charts", ranges(blocks)), lines.map((line) => line.element));
    const means = rolling(samples);
    for (const line of lines) line.update(means);
  }, 2_000);
  page.on("tip reorg", refresh);
  page.onResize(() => lines.forEach((line) => line.draw()));
}

/** Samples with hash rate and interval as means over those up to them; the first ones have too few samples before them. */
function rolling(samples) {
  const reach = Math.max(1, Math.round(samples.length * MEAN_SHARE));
  const sums = [[0, 0, 0]]; // blocks, seconds, hashes up to each sample
  for (const [index, { height, interval, hashrate }] of samples.entries()) {
    const [blocks, elapsed, hashes] = sums.at(-1);
    const more = index ? height - samples[index - 1].height : 1;
    sums.push([blocks + more, elapsed + interval * more, hashes + hashrate * Math.max(interval * more, 1)]);
  }
  return samples.slice(reach - 1).map((sample, index) => {
    const [blocks, elapsed, hashes] = sums[index + reach].map((each, part) => each - sums[index][part]);
    return { ...sample, interval: elapsed / blocks, hashrate: hashes / Math.max(elapsed, 1) };
  });
}

function ranges(blocks) {
  const link = (range) => h("a", { href: `#/charts?blocks=${range ?? "all"}`, "aria-current": range === blocks ? "true" : null }, range === null ? "all" : number(range));
  return h("nav", { class: "choices", "aria-label": "Blocks" }, h("span", { class: "quiet" }, "the last"), RANGES.map(link), h("span", { class: "quiet" }, "blocks"));
}
