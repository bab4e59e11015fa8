/** A line over time: one series, its axes, and the value under the pointer. */

import { h, s } from "./dom.js";
import { date, number } from "./format.js";

const HEIGHT_PX = 210;
const LEFT_PX = 14;
const RIGHT_PX = 14;
const TOP_PX = 22;
const BOTTOM_PX = 28;
const DAY_S = 86_400;

export class LineChart {
  #samples = [];
  #width = 0;
  #chosen = null;

  /** `value` is a sample's number, `format` shows it. */
  constructor(title, value, format) {
    this.value = value;
    this.format = format;
    this.reading = h("span", { class: "quiet reading", "aria-live": "off" });
    this.frame = h("div", { class: "chart", tabindex: "0", role: "img" });
    this.element = h("section", { class: "card" }, h("header", null, h("h2", null, title), this.reading), this.frame);
    this.title = title;
    this.frame.addEventListener("pointermove", (event) => this.#point(event));
    this.frame.addEventListener("pointerleave", () => this.#choose(null));
    this.frame.addEventListener("keydown", (event) => this.#key(event));
    this.frame.addEventListener("blur", () => this.#choose(null));
  }

  /** Show these: {height, time, ...}, oldest first. */
  update(samples) {
    let latest = 0;
    // A block may be a little older than its parent by its own clock; the line does not go backwards.
    this.#samples = samples.map((sample) => ({ ...sample, at: (latest = Math.max(latest, sample.time)) }));
    this.#chosen = null;
    this.draw();
  }

  /** Draw for the current width. */
  draw() {
    this.#width = this.frame.clientWidth;
    const samples = this.#samples;
    if (!this.#width || samples.length < 2) {
      this.frame.replaceChildren(h("p", { class: "empty" }, "Too few blocks for a chart yet."));
      this.reading.textContent = "";
      return;
    }
    const values = samples.map(this.value);
    const [low, high, step] = extent(Math.min(...values), Math.max(...values));
    const [first, last] = [samples[0].at, samples.at(-1).at];
    this.x = (sample, index) => LEFT_PX + (this.#width - LEFT_PX - RIGHT_PX) * (last > first ? (sample.at - first) / (last - first) : index / (samples.length - 1));
    this.y = (value) => TOP_PX + (HEIGHT_PX - TOP_PX - BOTTOM_PX) * (1 - (value - low) / (high - low));
    const points = samples.map((sample, index) => `${this.x(sample, index).toFixed(1)} ${this.y(values[index]).toFixed(1)}`);
    const floor = HEIGHT_PX - BOTTOM_PX;
    const line = `M${points.join("L")}`;
    const area = `${line}L${this.x(samples.at(-1), samples.length - 1)} ${floor}L${LEFT_PX} ${floor}Z`;
    this.cursor = s("g", { class: "cursor", visibility: "hidden" }, s("path", {}), s("circle", { r: 4 }));
    this.frame.replaceChildren(
      s("svg", { width: this.#width, height: HEIGHT_PX, viewBox: `0 0 ${this.#width} ${HEIGHT_PX}`, "aria-hidden": "true" },
        s("path", { class: "area", d: area }), s("path", { class: "line", d: line }), this.#levels(low, high, step), this.#times(first, last), this.cursor),
    );
    this.#choose(this.#chosen);
  }

  #levels(low, high, step) {
    const levels = [];
    for (let index = 0; low + index * step <= high * (1 + 1e-9); index += 1) {
      const level = low + index * step;
      const y = this.y(level);
      levels.push(s("path", { class: "grid", d: `M${LEFT_PX} ${y}H${this.#width - RIGHT_PX}` }));
      if (index) levels.push(s("text", { x: LEFT_PX, y: y - 5 }, this.format(level)));
    }
    return levels;
  }

  #times(first, last) {
    const span = last - first;
    const style = span > 2 * DAY_S ? { day: "numeric", month: "short" } : span > 600 ? { hour: "2-digit", minute: "2-digit" } : { timeStyle: "medium" };
    const format = new Intl.DateTimeFormat(undefined, style);
    const count = Math.max(1, Math.min(6, Math.floor((this.#width - LEFT_PX) / 130)));
    const labels = [];
    for (let index = 0; index <= count; index += 1) {
      const anchor = index === 0 ? "start" : index === count ? "end" : "middle";
      const x = LEFT_PX + ((this.#width - LEFT_PX - RIGHT_PX) * index) / count;
      const text = format.format(new Date((first + (span * index) / count) * 1000));
      labels.push(s("text", { x, y: HEIGHT_PX - 8, "text-anchor": anchor }, text));
    }
    return labels;
  }

  #point(event) {
    if (!this.cursor) return;
    const at = event.clientX - this.frame.getBoundingClientRect().left;
    let best = 0;
    this.#samples.forEach((sample, index) => {
      if (Math.abs(this.x(sample, index) - at) < Math.abs(this.x(this.#samples[best], best) - at)) best = index;
    });
    this.#choose(best);
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.cursor) return;
    event.preventDefault();
    const from = this.#chosen ?? this.#samples.length - (step < 0 ? 0 : 1);
    this.#choose(Math.max(0, Math.min(this.#samples.length - 1, from + step)));
  }

  #choose(index) {
    this.#chosen = index;
    const samples = this.#samples;
    if (!this.cursor || samples.length < 2) return;
    const sample = samples[index ?? samples.length - 1];
    const value = this.value(sample);
    this.reading.textContent = index === null ? this.format(value) : `${this.format(value)} · block ${number(sample.height)} · ${date(sample.time)}`;
    this.frame.setAttribute("aria-label", `${this.title}: ${this.reading.textContent}`);
    this.cursor.setAttribute("visibility", index === null ? "hidden" : "visible");
    if (index === null) return;
    const [rule, dot] = this.cursor.children;
    rule.setAttribute("d", `M${this.x(sample, index)} ${TOP_PX}V${HEIGHT_PX - BOTTOM_PX}`);
    dot.setAttribute("cx", this.x(sample, index));
    dot.setAttribute("cy", this.y(value));
  }
}

/** Round bounds around values and a round step between them; from zero unless the values are close together. */
function extent(least, most) {
  if (most <= 0) return [0, 1, 0.5];
  const from = least > most * 0.6 && least < most ? least : 0;
  const raw = (most - from) / 4;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * unit).find((each) => each >= raw * 0.999);
  const low = Math.floor(from / step) * step;
  return [low, low + Math.ceil((most - low) / step - 1e-9) * step, step];
}
