"""Bits flip in a node's block files: the damage is reported, and the blocks are fetched and stored again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pychain.chain.address import encode_address
from pychain.chain.spec import packaged_spec
from pychain.store import LmdbStore
from pychain.wallet.keys import dev_key
from tests.daemon.process import Daemon, RpcFailedError

SPEC = packaged_spec("dev")
MINER = encode_address(SPEC.hrp, dev_key(9).public_key)
LENGTH = 60
DAMAGED = (7, 30, 59)
"""Heights; the last is among those that the next start checks."""


def flip(file: Path, block: bytes) -> None:
    """Flip one bit in the stored body of this block."""
    content = bytearray(file.read_bytes())
    content[content.index(block) + len(block) - 1] ^= 4
    file.write_bytes(content)


def bodies(directory: Path, hashes: list[bytes]) -> list[bytes | None]:
    """The bodies as a new process reads them; DamagedBlockError if one is damaged."""
    store = LmdbStore(directory, SPEC.genesis_hash, read_only=True)
    try:
        return [store.body(block_hash) for block_hash in hashes]
    finally:
        store.close()


def test_flipped_bits_are_named_and_repaired_from_a_peer(tmp_path: Path) -> None:
    with Daemon(tmp_path / "whole", network="dev").wait_ready() as whole:
        whole.rpc("generatetoaddress", LENGTH, MINER)
        hashes = [whole.rpc("getblockhash", height) for height in DAMAGED]
        raws = [bytes.fromhex(whole.rpc("getblock", block_hash, 0)) for block_hash in hashes]
        with Daemon(tmp_path / "node", network="dev", connect=[whole.p2p]).wait_ready() as node:
            node.until(lambda: node.height == LENGTH)
            assert node.stop() == 0
        for raw in raws:
            flip(tmp_path / "node" / "blocks" / "blk00000.dat", raw)

        with Daemon(tmp_path / "node", network="dev", connect_only=True).wait_ready() as node:
            node.until(lambda: f"block {DAMAGED[-1]} ({hashes[-1]}) is damaged on the disk" in node.log)
            assert node.rpc("verifychain", 1, LENGTH) is False
            with pytest.raises(RpcFailedError, match="damaged"):
                node.rpc("getblock", hashes[0], 0)
            node.rpc("addnode", whole.p2p, "add")
            node.until(lambda: node.rpc("verifychain", 1, LENGTH) is True)
            assert node.rpc("getblock", hashes[0], 0) == raws[0].hex()
            assert node.tip == whole.tip
            assert node.stop() == 0
    assert bodies(tmp_path / "node", [bytes.fromhex(each)[::-1] for each in hashes]) == raws
