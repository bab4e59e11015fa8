"""A node that syncs through reorganisations is repeatedly killed (SIGKILL) at random moments.

Meanwhile a second node gets a tree of branches that overtake each other, block by block. The first follows it and dies
while it starts, syncs, reorganises, commits or sweeps. Its disk is compared with accounts computed independently from
genesis; then it is restarted and continues by itself.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import astuple

from pychain.chain.address import encode_address
from pychain.ledger.store import TransactionPlace
from pychain.store import LmdbStore
from tests.bars.ladder import KEYS, NETWORK, Ladder, Rung
from tests.daemon.process import Daemon

KILLS, LONG_KILLS = 8, 200
LONGEST_START_S, LONGEST_LIFE_S = 1.0, 0.7
"""The longest life of a node after its start, or after the first tip that it announces."""
PAUSE_S = 0.01
"""Between two blocks of a feed: the nodes get about 50 per second."""
HISTORY = 30
NEW_TIP = "NewTip"
SMALL_STEPS = "from pychain.store.sweep import Pace; Pace.rows = 100"
"""Code run first in the node that is killed, so that its sweeps are long."""


class Feed:
    """Feeds one branch after another to a node, on a thread, until it is stopped."""

    def __init__(self, ladder: Ladder, node: Daemon) -> None:
        self._ladder = ladder
        self._node = node
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.failure: BaseException | None = None

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Returns when the last branch is complete."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                for rung in self._ladder.climb():
                    assert self._node.rpc("submitblock", rung.block.raw.hex()) in (None, "inconclusive")
                    time.sleep(PAUSE_S)
        except BaseException as error:
            self.failure = error


def announced(node: Daemon) -> list[bytes]:
    """The tips in a node's log, whose last line may be cut off."""
    hashes = []
    for line in node.log.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") == NEW_TIP:
            hashes.append(bytes.fromhex(event["hash"])[::-1])
    return hashes


def check_disk(directory: Path, ladder: Ladder, told: list[bytes]) -> Rung | None:
    """Compare what a killed node left with the ladder; returns its tip, None if it died before it had a store."""
    if not (directory / "state" / "data.mdb").exists():
        assert not told
        return None
    store = LmdbStore(directory, NETWORK.genesis_hash, read_only=True)
    try:
        store.advance()
        tip_hash = store.tip()
        if tip_hash is None:
            assert not told
            return None
        tip = ladder.rungs[tip_hash]
        check_books(store, tip)
        if told:
            last = ladder.rungs[told[-1]]
            assert last in tip.branch() or tip.block.height > last.block.height, "an announced tip is lost"
            assert store.body(told[-1]) == last.block.raw
        return tip
    finally:
        store.close()


def check_books(store: LmdbStore, tip: Rung) -> None:
    """Accounts, histories and places of transactions are those of the tip's branch, from genesis on."""
    assert [astuple(account) for account in store.accounts(KEYS)] == [tip.accounts.get(key, (0, 0)) for key in KEYS]
    for key in KEYS[::7]:
        assert [tuple(place) for place in store.history(key, HISTORY)] == tip.history(key, HISTORY)
    on_chain = dict(zip((rung.block.hash for rung in tip.branch()), tip.branch(), strict=True))
    for rung in on_chain.values():
        if rung.block.height + HISTORY > tip.block.height:
            assert store.body(rung.block.hash) == rung.block.raw
            for position, txid in enumerate(rung.txids):
                assert store.transaction(txid) == TransactionPlace(rung.block.hash, position)


def live_and_die(node: Daemon, draw: random.Random, *, starting: bool) -> None:
    """Kill a node at a moment from its start on, or from the first tip that it announces."""
    if starting:
        time.sleep(draw.uniform(0, LONGEST_START_S))
    else:
        before = node.log.count(NEW_TIP)
        node.until(lambda: node.log.count(NEW_TIP) > before)
        time.sleep(draw.uniform(0, LONGEST_LIFE_S))
    assert node.process.poll() is None, f"the node ended by itself:\n{node.log}"
    node.kill()


@pytest.mark.parametrize(
    "kills", [KILLS, pytest.param(LONG_KILLS, marks=(pytest.mark.long, pytest.mark.timeout(3_600)))]
)
def test_a_node_killed_at_random_moments_goes_on_by_itself(tmp_path: Path, kills: int) -> None:
    seed = int(os.environ.get("PYCHAIN_SEED") or random.SystemRandom().getrandbits(32))
    print(f"PYCHAIN_SEED={seed}")
    draw, ladder = random.Random(seed), Ladder(random.Random(seed))
    network = tmp_path / "ladder.toml"
    network.write_text(NETWORK.toml())
    common: dict[str, Any] = {"network": str(network), "log_format": "json", "connect_only": True}
    tips: dict[bytes, Rung] = {}
    with Daemon(tmp_path / "source", **common).wait_ready() as source:
        flags = {**common, "connect": [source.p2p], "cache_mb": 1}
        with Feed(ladder, source) as feed:
            for life in range(kills):
                with Daemon(tmp_path / "node", SMALL_STEPS, **flags) as node:
                    live_and_die(node, draw, starting=life % 3 == 2)
                tip = check_disk(node.datadir, ladder, announced(node))
                if tip is not None:
                    tips[tip.block.hash] = tip
        assert feed.failure is None
        assert len(tips) > kills // 2, "it hardly ever came further"
        with Daemon(tmp_path / "node", SMALL_STEPS, **flags).wait_ready() as node:
            check_the_end(node, source, ladder.tip)
        assert "reorganised" in node.log
        assert "Traceback" not in node.log
        tip = check_disk(node.datadir, ladder, announced(node))
        assert tip is ladder.tip


def check_the_end(node: Daemon, source: Daemon, tip: Rung) -> None:
    """It catches up, its API shows correct accounts, and it stops cleanly."""
    node.until(lambda: node.tip == source.tip)
    assert node.tip == tip.block.hash[::-1].hex()
    for key in KEYS:
        account = node.rpc("getaccount", encode_address(NETWORK.hrp, key))
        assert (account["balance"], account["next_sequence"]) == tip.accounts.get(key, (0, 0))
    assert node.rpc("verifychain", 3, 0) is True
    assert node.stop() == 0
