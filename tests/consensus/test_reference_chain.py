"""The reference chain under random trees of blocks, since it is the oracle of other tests."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.specification.state import issued, total
from tests.support.driver import ACCEPTED, pending, rejected
from tests.support.forge import Forged, forge, genesis
from tests.support.keys import signer
from tests.support.network import Network
from tests.support.reference_chain import ReferenceChain

ALICE, BOB = signer("alice"), signer("bob")
NETWORK = Network(maturity=2, halving_interval=4, initial_subsidy=100, allocations=((ALICE.key, 50),))
CLOCK = NETWORK.genesis_time + 10_000


@st.composite
def trees(draw: st.DrawFn, bad: bool = False) -> list[Forged]:
    """Blocks, parents first: each on any earlier one. Where `bad`, some claim a unit too much."""
    blocks = [genesis(NETWORK)]
    for number in range(draw(st.integers(1, 12))):
        parent = draw(st.sampled_from(blocks[-4:]))
        claim = None
        if bad and draw(st.integers(0, 4)) == 0:
            claim = NETWORK.subsidy(parent.height + 1) + 1
        miner = draw(st.sampled_from([ALICE.key, BOB.key]))
        blocks.append(forge(NETWORK, f"b{number}", parent, miner=miner, claim=claim))
    return blocks[1:]


def fresh() -> ReferenceChain:
    return ReferenceChain(NETWORK.toml(), CLOCK)


@settings(max_examples=50)
@given(trees())
def test_parents_first(blocks: list[Forged]) -> None:
    """Every valid block is accepted; the tip is the highest, the first seen of equals; the supply is exact."""
    chain = fresh()
    best = genesis(NETWORK)
    for block in blocks:
        assert chain.submit(block.raw) == ACCEPTED
        if block.height > best.height:
            best = block
        assert chain.tip() == best.hash
        assert total(chain.specification.network, chain.state()) == issued(chain.specification.network, best.height)


@settings(max_examples=50)
@given(trees(), st.data())
def test_any_order(blocks: list[Forged], data: st.DataObject) -> None:
    """However blocks arrive, in the end all are in and a highest one is the tip."""
    chain = fresh()
    for block in data.draw(st.permutations(blocks)):
        assert chain.submit(block.raw) in (ACCEPTED, pending("prev-blk-not-found"))
    for block in blocks:
        assert chain.submit(block.raw) == ACCEPTED
    heights = {block.hash: block.height for block in blocks}
    assert heights[chain.tip()] == chain.state().height == max(heights.values())


@settings(max_examples=50)
@given(trees(bad=True))
def test_no_invalid_block_is_ever_on_the_chain(blocks: list[Forged]) -> None:
    """The tip is the highest block whose ancestors are all valid; children of invalid blocks are rejected."""
    chain = fresh()
    sound = {genesis(NETWORK).hash: True}
    best = genesis(NETWORK)
    for block in blocks:
        claim = int.from_bytes(block.transactions[0][37:45], "little")
        sound[block.hash] = sound[block.header[4:36]] and claim == NETWORK.subsidy(block.height)
        verdict = chain.submit(block.raw)
        if sound[block.hash]:
            assert verdict == ACCEPTED
            best = block if block.height > best.height else best
        else:
            assert verdict in (
                ACCEPTED,
                rejected("bad-cb-amount"),
                rejected("bad-prevblk"),
                pending("prev-blk-not-found"),
            )
        assert chain.tip() == best.hash


@settings(max_examples=30)
@given(trees(), st.data())
def test_invalidate_and_reconsider_is_no_change(blocks: list[Forged], data: st.DataObject) -> None:
    chain = fresh()
    for block in blocks:
        chain.submit(block.raw)
    tip, state = chain.tip(), chain.state()
    victim = data.draw(st.sampled_from(blocks))
    chain.invalidate(victim.hash)
    assert victim.hash not in {node.header.hash for node in chain.specification.tip.branch()}
    chain.reconsider(victim.hash)
    assert (chain.tip(), chain.state()) == (tip, state)


def test_a_clock_alone_makes_it_move() -> None:
    chain = fresh()
    early = forge(NETWORK, "early", genesis(NETWORK), time=CLOCK + NETWORK.max_future_s + 1)
    assert chain.submit(early.raw) == pending("time-too-new")
    chain.set_clock(CLOCK + 1)
    assert chain.tip() == early.hash


def test_networks_do_not_mix() -> None:
    other = replace(NETWORK, genesis_message="another chain")
    block = forge(other, "b", genesis(other))
    assert fresh().submit(block.raw) == pending("prev-blk-not-found")
