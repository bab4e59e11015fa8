"""Presync: a long chain must show its work before it is stored, and must be sent identically twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pychain.chain.header import Header, new_header
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.rules import Rule, RuleError
from pychain.ledger.presync import HEADERS_PER_SECOND, Pass, Presync, PresyncError, stored_work_threshold
from pychain.ledger.tree import BlockTree
from tests.support.builder import ChainBuilder, spec_of
from tests.support.network import Network
from tests.support.trees import add

NETWORK = Network()
SPEC = spec_of(NETWORK)
SALT = bytes(range(16))
LENGTH = 40
WORK_PER_BLOCK = 2
"""Expected hashes under the test network's bits."""
LATER = NETWORK.genesis_time + 10_000


def chain(miner: bytes) -> list[Header]:
    """Headers from block 1 on; another miner makes another chain."""
    builder = ChainBuilder(NETWORK)
    return [builder.extend(miner=miner).header for _ in range(LENGTH)]


def examination(required: int, wall_s: int = LATER) -> Presync:
    return Presync(SPEC, BlockTree(Rulebook(SPEC)).genesis, required, SALT, wall_s)


def test_two_passes_hand_the_chain_on() -> None:
    headers = chain(b"\x01" * 32)
    presync = examination(required=(LENGTH + 1) * WORK_PER_BLOCK)
    assert list(presync.take(headers[:25])) == []
    assert not presync.enough()
    assert list(presync.take(headers[25:])) == []
    assert presync.last == headers[-1].hash
    assert presync.enough()
    assert presync.state is Pass.STORE
    assert presync.last == SPEC.genesis_hash
    assert list(presync.take(headers[:11])) == headers[:11]
    assert not presync.done
    assert list(presync.take(headers[11:])) == headers[11:]
    assert presync.done


def test_too_little_work_is_never_enough() -> None:
    presync = examination(required=(LENGTH + 2) * WORK_PER_BLOCK)
    presync.take(chain(b"\x01" * 32))
    assert not presync.enough()


def test_another_chain_in_the_second_pass_is_found_out() -> None:
    """Forty salted bits: a lie passes with one chance in 2^40."""
    presync = examination(required=LENGTH * WORK_PER_BLOCK)
    presync.take(chain(b"\x01" * 32))
    assert presync.enough()
    with pytest.raises(PresyncError, match="differ"):
        presync.take(chain(b"\x02" * 32))


def test_headers_must_be_one_chain() -> None:
    headers = chain(b"\x01" * 32)
    presync = examination(required=10**9)
    presync.take(headers[:5])
    with pytest.raises(PresyncError, match="do not continue"):
        presync.take(headers[6:])


def test_headers_must_have_proof_of_work() -> None:
    first = chain(b"\x01" * 32)[0]
    idle = next(
        header
        for nonce in range(100)
        if int.from_bytes(
            (header := new_header(1, first.prev_hash, bytes(32), first.time, first.bits, nonce)).hash, "little"
        )
        > SPEC.pow_limit
    )
    with pytest.raises(RuleError) as caught:
        examination(required=10**9).take([idle])
    assert caught.value.rule is Rule.HIGH_HASH


def test_no_more_headers_than_time_allows() -> None:
    soon = NETWORK.genesis_time - SPEC.max_future_s + 2
    presync = examination(required=10**9, wall_s=soon)
    headers = chain(b"\x01" * 32)
    presync.take(headers[: 2 * HEADERS_PER_SECOND])
    with pytest.raises(PresyncError, match="time allows"):
        presync.take(headers[2 * HEADERS_PER_SECOND :])


def test_threshold_trails_the_tip_by_144_blocks() -> None:
    builder = ChainBuilder(NETWORK)
    tree = BlockTree(Rulebook(SPEC))
    entry = tree.genesis
    for block in builder.chain(150):
        assert stored_work_threshold(SPEC, entry) == max(0, entry.work - 144 * WORK_PER_BLOCK)
        entry = add(tree, block.header)
    assert stored_work_threshold(SPEC, entry) == 7 * WORK_PER_BLOCK
    assert stored_work_threshold(replace(SPEC, min_chain_work=10**6), entry) == 10**6
