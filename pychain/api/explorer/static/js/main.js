/** The frame around the pages: routes, search, theme, and the node's state. */

import { get } from "./api.js";
import { h } from "./dom.js";
import { number } from "./format.js";
import { Live } from "./live.js";
import { Page } from "./page.js";
import { empty, listenForCopies, tick } from "./parts.js";
import { theme } from "./theming.js";
import { account } from "./views/account.js";
import { block } from "./views/block.js";
import { blocks } from "./views/blocks.js";
import { charts } from "./views/charts.js";
import { forks } from "./views/forks.js";
import { mempool } from "./views/mempool.js";
import { mining } from "./views/mining.js";
import { overview } from "./views/overview.js";
import { peers } from "./views/peers.js";
import { search as searching } from "./views/search.js";
import { transaction } from "./views/transaction.js";

const VIEWS = { account, block, blocks, charts, forks, mempool, mining, overview, peers, search: searching, tx: transaction };
/** The tab that a page without one belongs to. */
const HOME = { block: "blocks", tx: "blocks" };
/** A shorter interruption, such as a restart, does not show the banner. */
const AWAY_MS = 1_500;

const live = new Live();
const main = document.getElementById("main");
let page = null;

function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", name = ""] = path.split("/").map(decoded);
  const open = VIEWS[view || "overview"];
  page?.end();
  main.replaceChildren();
  scrollTo(0, 0);
  page = new Page(main, live, name, new URLSearchParams(query));
  const tab = HOME[view] ?? (view || "overview");
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.dataset.view === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (open) open(page);
  else page.show("Not found", empty("There is no such page.", h("a", { href: "#/" }, "To the overview")));
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function search(event) {
  event.preventDefault();
  const field = event.target.elements.q;
  const typed = field.value.trim();
  const text = /^[\d, ]+$/.test(typed) ? typed.replace(/[, ]/g, "") : typed; // heights are shown with commas
  if (!text) return;
  location.hash = `#/search?${new URLSearchParams({ q: text })}`;
  field.blur();
}

async function showNode() {
  try {
    const status = await get("status");
    const chip = document.getElementById("network");
    chip.textContent = status.network;
    chip.hidden = false;
    document.getElementById("version").textContent = `pychain ${status.version} · node ${status.node_id.slice(0, 12)}`;
    showTip(status);
  } catch {
    // The stream shows whether the node is up; this is read again at the next resync.
  }
}

function showTip({ height }) {
  if (live.state === "live") document.getElementById("pulse-text").textContent = number(height);
}

let awayTimer = 0;

function showState() {
  const { state } = live;
  document.getElementById("pulse").dataset.state = state;
  document.getElementById("pulse-text").textContent = state;
  const banner = document.getElementById("away");
  clearTimeout(awayTimer);
  if (state === "live") {
    banner.hidden = true;
  } else {
    awayTimer = setTimeout(() => {
      banner.textContent = "The node is not reachable. This page shows its last state, and updates when it is back.";
      banner.hidden = false;
    }, AWAY_MS);
  }
}

live.addEventListener("state", showState);
live.addEventListener("resync", showNode);
live.addEventListener("tip", (event) => showTip(event.detail));
addEventListener("hashchange", () => {
  route();
  main.focus({ preventScroll: true });
});
document.getElementById("search").addEventListener("submit", search);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input")) return;
  event.preventDefault();
  document.querySelector("#search input").focus();
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
theme(document.getElementById("theme"), document.getElementById("theme-icon"));
listenForCopies();
setInterval(tick, 1_000);
route();
live.open();
