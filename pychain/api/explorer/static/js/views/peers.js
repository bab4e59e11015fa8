/** The connections of the node: direction, latency, traffic. */

import { h } from "../dom.js";
import { bytes, count, number, seconds } from "../format.js";
import { badge, card, empty, facts, heading, long, since, table, tile, tiles } from "../parts.js";

/** Seconds between reads of latency and traffic, which have no events. */
const LOOK_S = 5;
const MAX_ROWS = 250;

const COLUMNS = [
  { title: "Address", kind: "key", cell: (peer) => h("span", { class: "host" }, peer.addr) },
  { title: "Direction", kind: "flag", cell: (peer) => badge(peer.inbound ? "in" : "out", peer.inbound ? "" : "good") },
  { title: "Software", kind: "agent", cell: (peer) => peer.subver ?? badge("no hello yet", "warn") },
  { title: "Latency", kind: "number", cell: latency },
  { title: "Sent", kind: "number", cell: (peer) => bytes(peer.bytessent) },
  { title: "Received", kind: "number", cell: (peer) => bytes(peer.bytesrecv) },
  { title: "Height at hello", kind: "number", cell: (peer) => (peer.startingheight === undefined ? null : number(peer.startingheight)) },
  { title: "Connected", kind: "number when", cell: (peer) => since(peer.conntime) },
];

export function peers(page) {
  const refresh = page.refresher(async () => {
    const [list, network] = await Promise.all([page.get("peers"), page.get("network")]);
    page.show("Peers", heading("Peers"), figures(list, network), connections(list), self(network));
  });
  page.on("peer", refresh);
  page.every(LOOK_S, refresh);
}

function latency(peer) {
  if (peer.pingtime === undefined) return null;
  return h("span", { title: `at best ${seconds(peer.minping)}` }, seconds(peer.pingtime));
}

function figures(list, network) {
  const sum = (field) => list.reduce((total, peer) => total + peer[field], 0);
  return tiles(
    tile("Connected", number(network.connections), `${network.connections_in} in, ${network.connections_out} out`),
    tile("Sent", bytes(sum("bytessent")), "to current peers"),
    tile("Received", bytes(sum("bytesrecv")), "from current peers"),
    tile("Known addresses", number(network.knownaddresses), count(network.addednodes.length, "kept peer")),
  );
}

function connections(list) {
  if (!list.length) {
    return card("Connections", null, empty("No peers.", ["Join a network: ", h("code", null, "pychain peers add HOST:PORT")], "The node needs the address of at least one peer."));
  }
  const left = list.length - MAX_ROWS;
  return card(
    "Connections",
    left > 0 ? h("span", { class: "quiet" }, `and ${number(left)} more`) : null,
    table("Connections", COLUMNS, list.slice(0, MAX_ROWS), (peer) => peer.id),
  );
}

function self(network) {
  return card(
    "This node",
    null,
    facts([
      ["Software", `${network.subversion}, protocol ${network.protocolversion}`],
      ["Id", long(network.node_id, { copy: true })],
      ["Listens on", network.localaddresses.length ? h("span", { class: "host" }, network.localaddresses.join(", ")) : "nothing: it accepts no connections"],
    ]),
  );
}
