/** Numbers, times and bytes as text. Pure functions. */

const COIN = 100_000_000n;
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** 12345 -> "12,345". */
export function number(value) {
  return grouped.format(value);
}

/** Base units as coins, exact: 150000000 -> "1.5". */
export function coins(units) {
  const whole = BigInt(units) / COIN;
  const rest = BigInt(units) % COIN;
  const decimals = rest ? `.${String(rest).padStart(8, "0").replace(/0+$/, "")}` : "";
  return grouped.format(whole) + decimals;
}

/** Three digits and a power: 83123456 -> "83.1 M", 4.66e-10 -> "4.66 × 10⁻¹⁰". */
export function quantity(value) {
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent < -3 || exponent >= 21) {
    const power = String(Math.abs(exponent)).replace(/\d/g, (digit) => SUPERSCRIPTS[digit]);
    return `${short.format(value / 10 ** exponent)} × 10${exponent < 0 ? "⁻" : ""}${power}`;
  }
  const step = Math.max(0, Math.floor(exponent / 3));
  return step ? `${short.format(value / 1000 ** step)} ${" kMGTPE"[step]}` : short.format(value);
}

/** 83123456 -> "83.1 MH/s". */
export function hashRate(value) {
  const text = quantity(value);
  return /[kMGTPE]$/.test(text) ? `${text}H/s` : `${text} H/s`;
}

/** 1536000 -> "1.54 MB". */
export function bytes(value) {
  return value < 1000 ? `${value} B` : `${quantity(value)}B`;
}

/** 0.0234 -> "23.4 ms". */
export function seconds(value) {
  if (value === 0) return "0 s";
  if (value < 0.001) return `${short.format(value * 1e6)} µs`;
  return value < 1 ? `${short.format(value * 1000)} ms` : duration(value);
}

const SPANS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];

/** A span in its largest unit, or two units: 75 -> "1 min 15 s". */
export function duration(value) {
  const total = Math.round(value);
  for (const [index, [size, name]] of SPANS.entries()) {
    if (total < size) continue;
    const [smaller, smallerName] = SPANS[index + 1] ?? [1, "s"];
    const rest = Math.floor((total % size) / smaller);
    return `${Math.floor(total / size)} ${name}${rest ? ` ${rest} ${smallerName}` : ""}`;
  }
  return value > 0 && value < 10 && total !== value ? `${short.format(value)} s` : `${total} s`;
}

/** How long ago a Unix time was: "12 s ago". */
export function ago(time, now = Date.now() / 1000) {
  const elapsed = Math.floor(now - time);
  if (Math.abs(elapsed) < 1) return "just now";
  const [size, name] = SPANS.find(([each]) => Math.abs(elapsed) >= each) ?? [1, "s"];
  const count = `${Math.floor(Math.abs(elapsed) / size)} ${name}`;
  return elapsed > 0 ? `${count} ago` : `in ${count}`;
}

/** A Unix time in the reader's own zone. */
export function date(time) {
  return moment.format(new Date(time * 1000));
}

/** 0.4567 -> "45.7%"; anything unfinished is below 100%, and anything begun above 0%. */
export function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1%";
  return `${(Math.floor(share * 1000) / 10).toFixed(share === 1 ? 0 : 1)}%`;
}

/** "1 block", "2 blocks". */
export function count(value, noun) {
  return `${number(value)} ${noun}${Number(value) === 1 ? "" : "s"}`;
}

/**
 * A memo's text if it is UTF-8 and all printable, else null. Control and format characters (including those that
 * change the direction of text) are not printable, except the joiner of emoji.
 */
export function memoText(hex) {
  const raw = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
    return /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(text.replaceAll("\u200d", "")) && text.trim() ? text : null;
  } catch {
    return null;
  }
}
