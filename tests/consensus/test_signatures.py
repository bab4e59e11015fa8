"""Blocks verified together: each has its own result, and signatures checked before are not checked again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pychain.chain.block import Block
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.semantic import verify_blocks
from tests.support import wire
from tests.support.builder import spec_of
from tests.support.forge import Forged, forge, genesis
from tests.support.keys import signer
from tests.support.network import Network

ALICE, BOB = signer("alice"), signer("bob")
NETWORK = Network(allocations=((ALICE.key, 10**6), (BOB.key, 10**6)))
SPEC = spec_of(NETWORK)


def pay(sequence: int, *, forged: bool = False) -> bytes:
    raw = ALICE.transfer(NETWORK.genesis_hash, sequence, BOB.key, 5, 1)
    return raw[:-1] + bytes((raw[-1] ^ 1,)) if forged else raw


def block_of(name: str, *pays: bytes) -> Forged:
    return forge(NETWORK, name, genesis(NETWORK), pays)


GOOD = [block_of(f"good {size}", *(pay(i) for i in range(size))) for size in range(4)]
BAD = [
    block_of("bad 1", pay(0, forged=True)),
    block_of("bad 2 and 3", pay(0), pay(1, forged=True), pay(2, forged=True)),
]


@given(st.lists(st.sampled_from([*GOOD, *BAD]), max_size=12))
def test_each_block_has_its_own_verdict(blocks: list[Forged]) -> None:
    results = verify_blocks(SPEC, [block.raw for block in blocks])
    for block, result in zip(blocks, results, strict=True):
        if block in GOOD:
            assert isinstance(result, Block)
            assert result.raw == block.raw
        else:
            assert isinstance(result, RuleError)
            assert result.rule is Rule.TX_SIGNATURE
            assert f"transfer {1 if block is BAD[0] else 2} of the block" in str(result)


def test_what_is_known_to_be_signed_is_not_checked_again() -> None:
    """A transfer in `known` is not checked, even if it is forged; txids cover all bytes, so none can pass for it."""
    forged, real = BAD[0], GOOD[1]
    known = {wire.sha256d(forged.transactions[1])}
    accepted, fine = verify_blocks(SPEC, [forged.raw, real.raw], known)
    assert isinstance(accepted, Block)
    assert isinstance(fine, Block)
    (refused,) = verify_blocks(SPEC, [forged.raw], {wire.sha256d(real.transactions[1])})
    assert isinstance(refused, RuleError)
