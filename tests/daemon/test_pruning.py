"""Pruning: old files go, the newest blocks and the state stay, and a pruned node says so where something is gone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pychain.chain.address import encode_address
from pychain.chain.block import Block, decode_block
from pychain.chain.spec import packaged_spec
from pychain.ledger.store import Batch
from pychain.store import LmdbStore
from pychain.wallet.keys import dev_key
from tests.daemon.process import TIMEOUT_S, Daemon, RpcFailedError
from tests.support.forge import Forged, forge, genesis
from tests.support.network import Network

NETWORK = Network()
SPEC = packaged_spec("dev")
MINER = encode_address(SPEC.hrp, dev_key(9).public_key)
ROLL = 1_000
"""Bytes of a file: three or four empty blocks."""


def chain(length: int) -> list[Block]:
    blocks: list[Forged] = [genesis(NETWORK)]
    for number in range(length):
        blocks.append(forge(NETWORK, f"b{number}", blocks[-1]))
    return [decode_block(block.raw) for block in blocks]


@pytest.fixture
def store(tmp_path: Path) -> LmdbStore:
    return LmdbStore(tmp_path, NETWORK.genesis_hash, roll_bytes=ROLL)


def fill(store: LmdbStore, blocks: list[Block]) -> None:
    for block in blocks:
        store.commit(Batch(bodies={block.hash: block.raw}, undo={block.hash: b"undo"}, tip=block.hash))
    store.advance()


def kept(store: LmdbStore, blocks: list[Block]) -> list[int]:
    return [height for height, block in enumerate(blocks) if store.body(block.hash) is not None]


def test_the_oldest_files_go_until_the_rest_is_within_bounds(store: LmdbStore, tmp_path: Path) -> None:
    blocks = chain(60)
    fill(store, blocks)
    sizes = {path: path.stat().st_size for path in sorted((tmp_path / "blocks").iterdir())}
    removed = store.prune(below=10**6, keep_bytes=5 * ROLL)
    assert sorted((tmp_path / "blocks").iterdir()) == list(sizes)[removed:]
    assert sum(list(sizes.values())[removed:]) <= 5 * ROLL < sum(list(sizes.values())[removed - 1 :])
    left = kept(store, blocks)
    assert left == list(range(left[0], 61))
    store.advance()
    assert [height for height, block in enumerate(blocks) if store.undo(block.hash) is not None] == left
    assert store.prune(below=10**6, keep_bytes=5 * ROLL) == 0
    store.close()


def test_what_is_not_deep_enough_stays_whatever_it_takes(store: LmdbStore) -> None:
    blocks = chain(60)
    fill(store, blocks)
    store.prune(below=30, keep_bytes=0)
    left = kept(store, blocks)
    assert left[-1] == 60
    assert 20 < left[0] <= 30
    store.prune(below=0, keep_bytes=0)
    assert kept(store, blocks) == left
    store.prune(below=10**6, keep_bytes=0)
    assert kept(store, blocks)[-1] == 60, "the file that is being written stays"
    store.close()


def test_a_block_that_was_written_again_stays(store: LmdbStore) -> None:
    """A damaged body is fetched again and is in a later file: its row no longer belongs to the old file."""
    blocks = chain(30)
    fill(store, blocks)
    store.commit(Batch(bodies={blocks[1].hash: blocks[1].raw}))
    store.prune(below=25, keep_bytes=0)
    assert store.body(blocks[1].hash) == blocks[1].raw
    store.close()


def test_a_file_that_a_crash_left_behind_goes_next_time(store: LmdbStore, tmp_path: Path) -> None:
    blocks = chain(30)
    fill(store, blocks)
    first = tmp_path / "blocks" / "blk00000.dat"
    content = first.read_bytes()
    store.prune(below=25, keep_bytes=0)
    first.write_bytes(content)  # as if the node had died before it could delete the file
    store.close()
    again = LmdbStore(tmp_path, NETWORK.genesis_hash, roll_bytes=ROLL)
    assert kept(again, blocks)[0] > 0
    again.prune(below=25, keep_bytes=0)
    assert not first.exists()
    again.close()


SMALL = """
from pychain.daemon import daemon, engine
engine.MIN_ROLL_BYTES = 4_000
daemon.disk_limits = lambda options: engine.DiskLimits(64 << 20, 20_000)
"""
"""Bounds that some hundred empty blocks exceed."""


def test_a_pruned_node_follows_the_chain_and_says_what_is_gone(tmp_path: Path) -> None:
    with Daemon(tmp_path / "node", SMALL, network="dev", prune_mb=1).wait_ready() as node:
        assert node.rpc("getblockchaininfo")["pruned"] is True
        for count in (200, 200, 1, 20):
            node.rpc("generatetoaddress", count, MINER)
        old, new = node.rpc("getblockhash", 5), node.rpc("getblockhash", 140)
        assert node.rpc("getblockheader", old)["height"] == 5
        assert node.rpc("getblock", new)["height"] == 140
        give_up = time.monotonic() + TIMEOUT_S
        while (node.datadir / "blocks" / "blk00000.dat").exists() and time.monotonic() < give_up:
            time.sleep(0.05)
        assert node.stop() == 0
    with Daemon(tmp_path / "node", SMALL, network="dev", prune_mb=1).wait_ready() as node:  # nothing is in memory now
        with pytest.raises(RpcFailedError, match="pruned data"):
            node.rpc("getblock", old)
        assert node.rpc("getblock", new)["height"] == 140
        lowest = node.rpc("getblockchaininfo")["pruneheight"]
        assert 5 < lowest <= 132
        assert node.rpc("getblock", node.rpc("getblockhash", lowest))["height"] == lowest
        with pytest.raises(RpcFailedError, match="pruned data"):
            node.rpc("getblock", node.rpc("getblockhash", lowest - 1))
        node.rpc("generatetoaddress", 1, MINER)
        assert node.rpc("getblockcount") == 422
