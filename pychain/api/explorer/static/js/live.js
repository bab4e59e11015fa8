/**
 * The node's events, live: one event stream for all pages.
 *
 * Dispatches the node's own kinds (`tip`, `reorg`, `tx`, `peer`) with their data in `detail`; `resync` if events
 * may have been missed, so that all must be read again; `state` when it changes.
 */

const KINDS = ["tip", "reorg", "tx", "peer"];
const RETRY_MS = 3_000;
/** How long a hidden page keeps its stream: a browser has six connections per host for all of its tabs. */
const HIDDEN_MS = 60_000;
const MAX_REORGS = 20;

export class Live extends EventTarget {
  /** `connecting`, `live` or `away`. */
  state = "connecting";
  /** The last reorganisations, newest first. */
  reorgs = [];
  #source = null;
  #timer = 0;

  open() {
    document.addEventListener("visibilitychange", () => this.#visibility());
    // A page in the back/forward cache keeps no connection.
    addEventListener("pagehide", () => this.#source.close());
    addEventListener("pageshow", (event) => event.persisted && this.#connect());
    this.#connect();
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#source?.close();
    const source = new EventSource("api/v1/events");
    this.#source = source;
    source.onopen = () => {
      const missed = this.state !== "live";
      this.#become("live");
      if (missed) this.#tell("resync");
    };
    source.onerror = () => {
      this.#become("away");
      // The browser retries by itself after a broken connection, but not after an answer that is not a stream.
      if (source.readyState === EventSource.CLOSED) this.#timer = setTimeout(() => this.#connect(), RETRY_MS);
    };
    source.addEventListener("reset", () => this.#tell("resync"));
    source.addEventListener("reorg", (event) => {
      this.reorgs = [JSON.parse(event.data), ...this.reorgs].slice(0, MAX_REORGS);
    });
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.#tell(kind, JSON.parse(event.data)));
  }

  #visibility() {
    clearTimeout(this.#timer);
    if (document.hidden) {
      this.#timer = setTimeout(() => this.#source.close(), HIDDEN_MS);
    } else if (this.#source.readyState !== EventSource.OPEN) {
      this.#become("connecting");
      this.#connect();
    }
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.#tell("state");
  }

  #tell(kind, detail = null) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
