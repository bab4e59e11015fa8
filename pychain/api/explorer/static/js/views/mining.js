/** The node's own mining, and its Stratum miners. */

import { h } from "../dom.js";
import { count, duration, hashRate, number, percent, quantity } from "../format.js";
import { accountLink, badge, card, empty, heading, since, table, tile, tiles } from "../parts.js";

/** Seconds between reads of rates and shares, which have no events. */
const LOOK_S = 3;
const MAX_ROWS = 100;
/** Hashes that a block of difficulty 1 takes: 2^256 / (0xffff * 2^208). */
const HASHES_AT_1 = 2 ** 48 / 65_535;

const shares = (column, cell) => ({ title: column, kind: "number", cell: ({ shares: each }) => cell(each) });
const SHARES = [
  shares("Rate", (each) => hashRate(each.hashespersec)),
  shares("Accepted", (each) => number(each.accepted)),
  shares("Rejected", rejected),
  shares("Blocks", (each) => number(each.blocks)),
  shares("Last share", (each) => (each.lastshare === null ? null : since(each.lastshare))),
];
const WORKERS = [
  { title: "Worker", kind: "wide key", cell: (worker) => accountLink(worker.address) },
  { title: "Name", kind: "agent", cell: (worker) => worker.user.slice(worker.address.length + 1) || null },
  { title: "Connections", kind: "number", cell: (worker) => (worker.connections ? number(worker.connections) : badge("gone", "")) },
  ...SHARES,
];
const CONNECTIONS = [
  { title: "Address", kind: "key", cell: (each) => h("span", { class: "host" }, each.addr) },
  { title: "Software", kind: "agent", cell: (each) => each.agent || null },
  { title: "State", kind: "flag", cell: (each) => (each.ready ? badge("mining", "good") : badge("not ready", "warn")) },
  { title: "Difficulty", kind: "number", cell: (each) => quantity(each.difficulty) },
  ...SHARES,
  { title: "Connected", kind: "number when", cell: (each) => since(each.conntime) },
];

export function mining(page) {
  const refresh = page.refresher(async () => {
    const [own, stratum] = await Promise.all([page.get("mining"), page.get("mining/stratum")]);
    page.show("Mining", heading("Mining"), figures(own), node(own), server(stratum));
  });
  page.on("tip", refresh);
  page.every(LOOK_S, refresh);
}

function figures(own) {
  const share = own.networkhashps > 0 ? Math.min(1, own.hashespersec / own.networkhashps) : 0;
  return tiles(
    tile("This node", own.mining ? hashRate(own.hashespersec) : "off", own.mining ? count(own.threads, "thread") : "does not mine"),
    tile("Network", hashRate(own.networkhashps), own.mining ? `about ${percent(share)} of it here` : "estimated from the chain"),
    tile("Next block", number(own.next.height), `difficulty ${quantity(own.next.difficulty)}`),
    own.hashespersec > 0 && tile("A block takes", duration((own.next.difficulty * HASHES_AT_1) / own.hashespersec), "on average, for this node alone"),
  );
}

function node(own) {
  if (!own.mining) {
    return card("The node's own miner", null, empty("This node does not mine.", ["To mine: ", h("code", null, "pychain node --mine"), " or ", h("code", null, "--mine ADDRESS")]));
  }
  return card(
    "The node's own miner",
    badge("on", "good"),
    h("dl", { class: "facts" },
      h("div", null, h("dt", null, "Mines to"), h("dd", null, own.miningaddress ? accountLink(own.miningaddress) : "–")),
      h("div", null, h("dt", null, "Current block"), h("dd", null, count(own.currentblocktx ?? 0, "transfer"))),
    ),
  );
}

function server(stratum) {
  if (stratum.listening === null) {
    return card("Stratum", null, empty("The Stratum server is off.", ["To start it: ", h("code", null, "pychain node --stratum-port 3333")]));
  }
  const invite = ["Start one: ", h("code", null, `pychain miner stratum+tcp://${stratum.listening} --user ADDRESS`)];
  return [
    card(
      "Stratum workers",
      h("span", { class: "quiet" }, `${stratum.listening} · ${hashRate(stratum.shares.hashespersec)}`),
      stratum.workers.length ? bounded("Workers", WORKERS, stratum.workers, (worker) => worker.user) : empty("Nobody mines here yet.", invite),
    ),
    stratum.connections.length > 0 && card("Stratum connections", h("span", { class: "quiet" }, number(stratum.connections.length)), bounded("Connections", CONNECTIONS, stratum.connections, (each) => each.addr)),
  ];
}

function bounded(label, columns, rows, key) {
  const left = rows.length - MAX_ROWS;
  return [table(label, columns, rows.slice(0, MAX_ROWS), key), left > 0 && h("p", { class: "more-rows quiet" }, `and ${number(left)} more`)];
}

function rejected({ rejected: reasons }) {
  const told = Object.entries(reasons).filter(([, times]) => times);
  const sum = told.reduce((total, [, times]) => total + times, 0);
  return h("span", { title: told.map(([reason, times]) => `${reason} ${times}`).join(", ") || null }, number(sum));
}
