/** One shown page: its listeners and requests end with it. */

import { get } from "./api.js";
import { patch } from "./dom.js";
import { failure } from "./parts.js";

export class Page {
  #ended = new AbortController();
  #live;
  #root;

  /** `parameters` is the query of its address, `name` the part after the view's name. */
  constructor(root, live, name, parameters) {
    this.#root = root;
    this.#live = live;
    this.name = name;
    this.parameters = parameters;
  }

  /** The width for drawings, in pixels. */
  get width() {
    const { paddingLeft, paddingRight } = getComputedStyle(this.#root);
    return this.#root.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  }

  /** Reorganisations since the explorer was loaded, newest first. */
  get reorgs() {
    return this.#live.reorgs;
  }

  /** Show a title and nodes, or update them. */
  show(title, ...nodes) {
    if (this.#ended.signal.aborted) return;
    document.title = `${title} · pychain`;
    patch(this.#root, ...nodes);
  }

  /** A function that schedules `paint` for the next frame, once for all calls until then. */
  painter(paint) {
    let asked = false;
    return () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        paint();
      });
    };
  }

  /** A resource of the node. */
  get(path, parameters) {
    return get(path, parameters, this.#ended.signal);
  }

  /** Call with the data of each event of these kinds. */
  on(kinds, listener) {
    for (const kind of kinds.split(" ")) {
      this.#live.addEventListener(kind, (event) => listener(event.detail, kind), { signal: this.#ended.signal });
    }
  }

  /** Call when the width has changed. */
  onResize(redraw) {
    let width = this.#root.clientWidth;
    const observer = new ResizeObserver(() => {
      if (this.#root.clientWidth === width) return;
      width = this.#root.clientWidth;
      redraw();
    });
    observer.observe(this.#root);
    this.#ended.signal.addEventListener("abort", () => observer.disconnect());
  }

  /** Call at this interval (seconds) while the page is visible: for changes without an event. */
  every(seconds, tick) {
    const timer = setInterval(() => document.hidden || tick(), seconds * 1000);
    this.#ended.signal.addEventListener("abort", () => clearInterval(timer));
  }

  /**
   * A function that schedules `load`: at once if it did not run in the last `gapMs`, else after them, once for
   * all calls meanwhile, and never twice at a time. After a failure the page stays, unless it is empty or its subject
   * no longer exists.
   */
  refresher(load, gapMs = 400) {
    let running = false;
    let asked = false;
    const run = async () => {
      if (running) {
        asked = true;
        return;
      }
      running = true;
      asked = false;
      try {
        await load();
      } catch (error) {
        if (!this.#ended.signal.aborted) this.#fail(error);
      }
      setTimeout(() => {
        running = false;
        if (asked && !this.#ended.signal.aborted) run();
      }, gapMs);
    };
    this.on("resync", run);
    run();
    return run;
  }

  end() {
    this.#ended.abort();
  }

  #fail(error) {
    if (error.status === 404 || !this.#root.hasChildNodes()) this.show("Not shown", failure(error));
  }
}
