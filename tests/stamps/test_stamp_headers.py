"""Headers of a proof: checked by every rule, with every retarget rule, and their work counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pychain.chain.header import decode_header, new_header
from pychain.chain.target import work_from_bits
from pychain.consensus.branch import median_time_past
from pychain.consensus.rulebook import Rulebook
from pychain.stamps.errors import StampError
from pychain.stamps.headers import MAX_HEADERS, place_block
from tests.stamps.forged import BLOCK, BLOCKS, NOW, StampedChain
from tests.support import wire
from tests.support.builder import ChainBuilder, HeaderBranch
from tests.support.network import EASY_BITS, GENESIS_TIME, Network


def solved(raw: bytes, **changes: int | bytes) -> bytes:
    """A changed header with its proof of work done again."""
    header = decode_header(raw)
    fields = {
        "version": header.version,
        "prev_hash": header.prev_hash,
        "merkle_root": header.merkle_root,
        "time": header.time,
        "bits": header.bits,
    } | changes
    return wire.solve(*fields.values())  # type: ignore[arg-type]


def test_a_block_is_placed_with_the_work_on_top_of_it(chain: StampedChain) -> None:
    headers = [block.header for block in chain.blocks]
    works = [work_from_bits(header.bits) for header in headers]
    told: list[int] = []
    placed = place_block(chain.rulebook, chain.headers, BLOCK, NOW, told.append)
    assert placed.header == headers[BLOCK - 1]
    assert placed.confirmations == BLOCKS - BLOCK + 1
    assert placed.work_on_top == sum(works[BLOCK - 1 :])
    assert placed.work == sum(works) + work_from_bits(chain.network.genesis_bits)
    genesis = decode_header(chain.network.genesis[:80])
    assert placed.median_time == median_time_past(HeaderBranch([genesis, *headers[:BLOCK]]))
    assert told == [0, BLOCKS]


@pytest.mark.parametrize("height", [1, BLOCKS])
def test_the_first_and_the_last_block_can_be_placed(chain: StampedChain, height: int) -> None:
    assert place_block(chain.rulebook, chain.headers, height, NOW).header == chain.blocks[height - 1].header


@pytest.mark.parametrize(
    ("height", "cut"), [(0, 0), (-1, 0), (BLOCKS + 1, 0), (BLOCK, 80 * 9), (BLOCK, 1), (1, 80 * BLOCKS)]
)
def test_headers_that_do_not_reach_the_block_are_refused(chain: StampedChain, height: int, cut: int) -> None:
    raw = chain.headers[: len(chain.headers) - cut]
    with pytest.raises(StampError, match="do not reach block"):
        place_block(chain.rulebook, raw, height, NOW)


def test_more_headers_than_anybody_waits_for_are_refused_at_once(chain: StampedChain) -> None:
    with pytest.raises(StampError, match="at most 1,000,000 headers, this one 1,000,001"):
        place_block(chain.rulebook, bytes(80 * (MAX_HEADERS + 1)), 1, NOW)


@pytest.mark.parametrize(
    ("rule", "params", "blocks"),
    [("fixed", {}, 20), ("asert", {}, 20), ("bitcoin", {"window": 5}, 20), ("bitcoin", {}, 200), ("lwma", {}, 200)],
)
def test_every_retarget_rule_is_applied(rule: str, params: dict[str, int], blocks: int) -> None:
    """`bitcoin` and `lwma` look further back than headers are kept decoded."""
    network = Network(retarget=rule, retarget_params=params, genesis_bits=EASY_BITS)
    builder = ChainBuilder(network)
    raw = b"".join(block.header.raw for block in builder.chain(blocks))
    assert place_block(builder.rulebook, raw, 1, NOW).confirmations == blocks
    easier = solved(raw[-80:], bits=0x207FFFFE)
    with pytest.raises(StampError, match=f"header {blocks} of the proof breaks a rule: bad-diffbits"):
        place_block(builder.rulebook, raw[:-80] + easier, 1, NOW)


@pytest.mark.parametrize(
    ("at", "changes", "line"),
    [
        (5, {"prev_hash": bytes(32)}, "header 5 of the proof does not follow header 4"),
        (1, {"prev_hash": bytes(32)}, "header 1 of the proof does not follow the network's genesis"),
        (BLOCKS, {"bits": EASY_BITS}, f"header {BLOCKS} of the proof breaks a rule: bad-diffbits"),
        (BLOCKS, {"time": GENESIS_TIME}, f"header {BLOCKS} of the proof breaks a rule: time-too-old"),
        (1, {"time": GENESIS_TIME - 1}, "header 1 of the proof breaks a rule: time-"),
        (BLOCKS, {"time": NOW + 7201}, f"header {BLOCKS} of the proof breaks a rule: time-too-new"),
    ],
)
def test_a_header_that_breaks_a_rule_is_named(
    chain: StampedChain, at: int, changes: dict[str, int | bytes], line: str
) -> None:
    start = 80 * (at - 1)
    raw = chain.headers[:start] + solved(chain.headers[start : start + 80], **changes) + chain.headers[start + 80 :]
    with pytest.raises(StampError, match=line):
        place_block(chain.rulebook, raw, 1, NOW)


def test_a_header_without_its_work_is_refused(chain: StampedChain) -> None:
    last = chain.blocks[-1].header
    idle = new_header(last.version, last.prev_hash, last.merkle_root, last.time, last.bits, last.nonce ^ 1)
    with pytest.raises(StampError, match=f"header {BLOCKS} of the proof breaks a rule: high-hash"):
        place_block(chain.rulebook, chain.headers[:-80] + idle.raw, 1, NOW)


def test_headers_in_another_order_are_refused(chain: StampedChain) -> None:
    raw = chain.headers
    with pytest.raises(StampError, match="header 4 of the proof does not follow"):
        place_block(chain.rulebook, raw[:240] + raw[320:400] + raw[240:320] + raw[400:], 1, NOW)


def test_a_chain_with_less_work_than_the_network_is_known_to_have_is_another(chain: StampedChain) -> None:
    work = place_block(chain.rulebook, chain.headers, 1, NOW).work
    for least in (work, work + 1):
        rulebook = Rulebook(replace(chain.rulebook.spec, min_chain_work=least))
        if least == work:
            place_block(rulebook, chain.headers, 1, NOW)
        else:
            with pytest.raises(StampError, match="less work than the network 'stamps' is known to have"):
                place_block(rulebook, chain.headers, 1, NOW)
