/** The latest transfers: pending ones, and those of the last blocks. */

const SHOWN = 8;
/** Blocks searched for transfers when the page opens. */
const LOOK_BACK = 6;

export class Recent {
  /** Newest first: {txid, sender, recipient, amount, block}, `block` null while it is pending. */
  items = [];
  #page;
  #seen = new Set();
  #started = false;

  constructor(page) {
    this.#page = page;
  }

  /** A transfer entered the mempool or left it. */
  note({ txid, status, sender, recipient, amount }) {
    this.#drop((item) => item.txid === txid);
    if (status === "accepted") this.#put([{ txid, sender, recipient, amount, block: null }]);
  }

  /** Add the transfers of those of the latest blocks (newest first) that are new here. */
  async follow(blocks) {
    const hashes = new Set(blocks.map((block) => block.hash));
    this.#seen = new Set([...this.#seen].filter((hash) => hashes.has(hash)));
    // Transfers of disconnected blocks are pending again, or are in other blocks.
    const lowest = blocks.at(-1).height;
    let unsure = false;
    for (const item of this.items) {
      if (!item.block || item.block.height < lowest || hashes.has(item.block.hash)) continue;
      item.block = null;
      unsure = true;
    }
    const fresh = blocks.slice(0, LOOK_BACK).filter((block) => block.transactions > 1 && !this.#seen.has(block.hash));
    const details = await Promise.all(fresh.map((block) => this.#page.get(`block/${block.hash}`, { limit: SHOWN + 1 })));
    for (const { hash, height, tx, next } of details.reverse()) {
      const transfers = tx.filter((each) => each.type === "transfer");
      const confirmed = new Set(transfers.map((each) => each.txid));
      this.#drop((item) => confirmed.has(item.txid));
      this.#put(transfers.map(({ txid, sender, recipient, amount }) => ({ txid, sender, recipient, amount, block: { hash, height } })));
      this.#seen.add(hash);
      unsure ||= next !== null;
    }
    if (!this.#started) await this.#readWaiting();
    else if (unsure) await this.#askWaiting();
  }

  /** Update the pending ones: large blocks are not read in full. */
  async #askWaiting() {
    for (const item of this.items.filter((each) => !each.block)) {
      try {
        const { blockhash, blockheight } = await this.#page.get(`tx/${item.txid}`);
        if (blockhash) item.block = { hash: blockhash, height: blockheight };
      } catch (error) {
        if (error.status !== 404) throw error;
        this.#drop((each) => each === item);
      }
    }
  }

  async #readWaiting() {
    this.#started = true;
    const { transactions } = await this.#page.get("mempool", { limit: SHOWN });
    const known = new Set(this.items.map((item) => item.txid));
    const waiting = transactions.filter((each) => !known.has(each.txid)).sort((one, other) => other.time - one.time);
    this.#put(waiting.map(({ txid, sender, recipient, amount }) => ({ txid, sender, recipient, amount, block: null })));
  }

  #put(items) {
    this.items = [...items, ...this.items].slice(0, SHOWN);
  }

  #drop(condition) {
    this.items = this.items.filter((item) => !condition(item));
  }
}
