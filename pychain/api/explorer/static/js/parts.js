/** The components of pages. */

import { h, icon } from "./dom.js";
import { ago, coins, date, number } from "./format.js";

/** A Unix time as "12 s ago", kept up to date by `tick`; the date is in its title. */
export function since(time) {
  const shown = h("time", { datetime: iso(time), "data-time": time, title: date(time) });
  shown.textContent = ago(time);
  return shown;
}

/** Update all relative times. */
export function tick() {
  const now = Date.now() / 1000;
  for (const shown of document.querySelectorAll("time[data-time]")) {
    const text = ago(Number(shown.dataset.time), now);
    if (shown.textContent !== text) shown.textContent = text;
  }
}

function iso(time) {
  const moment = new Date(time * 1000);
  return Number.isNaN(moment.getTime()) ? null : moment.toISOString();
}

/** A hash or an address, its middle elided if there is no room; with `href` a link, with `copy` a button. */
export function long(text, { href = null, copy = false, label = null } = {}) {
  const parts = [h("span", { class: "head" }, text.slice(0, -6)), h("span", { class: "tail" }, text.slice(-6))];
  const shown = href
    ? h("a", { class: "long", href, title: text, "aria-label": label ?? text }, parts)
    : h("span", { class: "long", title: text }, parts);
  return copy ? h("span", { class: "copied-from" }, shown, copyButton(text)) : shown;
}

export const blockLink = (hash) => long(hash, { href: `#/block/${hash}` });
export const transactionLink = (txid) => long(txid, { href: `#/tx/${txid}` });
export const accountLink = (address) => long(address, { href: `#/account/${address}` });
export const heightLink = (height, hash) => h("a", { class: "height", href: `#/block/${hash ?? height}` }, number(height));

/** A button that copies a text to the clipboard, through `listenForCopies`. */
export function copyButton(text) {
  return h("button", { type: "button", class: "copy", "data-copy": text, title: "Copy", "aria-label": "Copy" }, icon("copy"));
}

/** Serve all copy buttons of the document. */
export function listenForCopies() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    await copy(button.dataset.copy);
    button.classList.add("done");
    button.replaceChildren(icon("done"));
    setTimeout(() => {
      button.classList.remove("done");
      button.replaceChildren(icon("copy"));
    }, 1_200);
  });
}

/** The clipboard API exists only on loopback and HTTPS; elsewhere use the old way. */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = h("textarea", { class: "unseen" });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

/** A section with a heading; `aside` is at the heading's other end. */
export function card(title, aside, ...children) {
  return h("section", { class: "card" }, h("header", null, h("h2", null, title), aside), children);
}

/** A figure with its name: the tiles at the top of pages. */
export function tile(name, value, note = null) {
  return h(
    "div",
    { class: "tile" },
    h("dt", null, name),
    h("dd", null, h("span", { class: "value" }, value), note && h("span", { class: "note" }, note)),
  );
}

/** Coins, with smaller decimals. */
export function sum(units) {
  const [whole, decimals] = coins(units).split(".");
  return h("span", { class: "sum" }, h("span", null, whole), decimals && h("wbr"), decimals && h("span", { class: "decimals" }, `.${decimals}`));
}

export const tiles = (...children) => h("dl", { class: "tiles" }, children);

/** Names and values, one per line; null entries are skipped. */
export function facts(entries) {
  const rows = entries.filter(Boolean);
  return h("dl", { class: "facts" }, rows.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

/**
 * A table that becomes a list of cards on a narrow screen. `columns` are {title, cell, kind}: `cell` makes a
 * row's content, null for none; `kind` is a class (`number`, `wide`, ...). `key` names a row.
 */
export function table(label, columns, rows, key) {
  const cell = (column, row) => {
    const content = column.cell(row);
    return h("td", { role: "cell", class: content === null ? `${column.kind} none` : column.kind, "data-label": column.title }, content ?? "–");
  };
  return h(
    "table",
    { role: "table", "aria-label": label },
    h("thead", { role: "rowgroup" },
      h("tr", { role: "row" }, columns.map((column) => h("th", { role: "columnheader", scope: "col", class: column.kind }, column.title))),
    ),
    h("tbody", { role: "rowgroup" },
      rows.map((row) => h("tr", { role: "row", "data-key": key(row) }, columns.map((column) => cell(column, row)))),
    ),
  );
}

export const badge = (text, kind) => h("span", { class: `badge ${kind}` }, text);

/** A placeholder: why there is nothing, and what to do about it. */
export function empty(text, ...hints) {
  return h("div", { class: "empty" }, h("p", null, text), hints.map((hint) => h("p", { class: "hint" }, hint)));
}

/** Links to the page before and after; either may be null. */
export function pager(newer, older, words = ["Newer", "Older"]) {
  if (!newer && !older) return null;
  const link = (href, text, rel) => (href ? h("a", { class: "button", href, rel }, text) : h("span"));
  return h("nav", { class: "pager", "aria-label": "Pages" }, link(newer, `← ${words[0]}`, "prev"), link(older, `${words[1]} →`, "next"));
}

/** A page's heading, with its subject. */
export function heading(title, ...more) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), more);
}

/** Why a page is not shown. */
export function failure(error) {
  if (error.status === 404) return empty(`Nothing here: ${error.message}.`, "It may be on a stale branch, or on another network.");
  if (error.status) return empty(`The node answers: ${error.message}`);
  return empty("The node does not answer.", "This page loads as soon as the node is back.");
}
