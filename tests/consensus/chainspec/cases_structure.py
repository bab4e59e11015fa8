"""Level 1: bytes, counts and sizes. Bytes that are not a block say nothing about the block whose header they carry."""

from __future__ import annotations

from functools import partial
from itertools import count

from tests.consensus.chainspec.limits import (
    ALICE,
    BOB,
    COINBASE_BYTES,
    MAX_BLOCK_BYTES,
    MAX_EXTRA_BYTES,
    MAX_MEMO_BYTES,
    MIN_EXTRA_BYTES,
    SUBSIDY,
    TRANSFER_BYTES,
)
from tests.consensus.chainspec.story import Case, Story, case
from tests.support import wire
from tests.support.forge import MINER, Forged

CASES: list[Case] = []
structure_case = partial(case, into=CASES)

BLOCK_OVERHEAD = 80 + 1 + COINBASE_BYTES + MIN_EXTRA_BYTES
"""A block with the shortest coinbase and under 253 transactions, its transfers apart."""


@structure_case()
def less_than_a_block(story: Story) -> None:
    """
    genesis -> b1*      nothing, 79 bytes, the header alone: bad-blk-encoding; then the whole block
    """
    b1 = story.block("b1", story.genesis)
    for raw in (b"", b1.raw[:79], b1.raw[:80], b1.raw[:-1]):
        story.is_rejected(b1, "bad-blk-encoding", raw=raw)
    story.becomes_tip(b1)


@structure_case()
def more_than_a_block(story: Story) -> None:
    """
    genesis -> b1*      with a trailing byte, or a second copy of itself: bad-blk-encoding
    """
    b1 = story.block("b1", story.genesis)
    story.is_rejected(b1, "bad-blk-encoding", raw=b1.raw + b"\0")
    story.is_rejected(b1, "bad-blk-encoding", raw=b1.raw * 2)
    story.becomes_tip(b1)


@structure_case()
def count_in_a_longer_form(story: Story) -> None:
    """
    genesis -> b1*      tx_count 1 as fd0100, fe01000000, ff0100000000000000: bad-blk-encoding
    """
    b1 = story.block("b1", story.genesis)
    body = b1.raw[81:]
    for longer in (b"\xfd\x01\x00", b"\xfe\x01\x00\x00\x00", b"\xff\x01" + bytes(7)):
        story.is_rejected(b1, "bad-blk-encoding", raw=b1.header + longer + body)
    story.becomes_tip(b1)


@structure_case()
def count_of_253_in_its_shortest_form(story: Story) -> None:
    """
    genesis -> b1*      253 transactions: the count takes three bytes; in five of them it is bad-blk-encoding
    """
    transfers = [story.pay(ALICE, sequence, BOB, 0) for sequence in range(252)]
    b1 = story.block("b1", story.genesis, transfers)
    assert b1.raw[80:83] == b"\xfd\xfd\x00"
    story.is_rejected(b1, "bad-blk-encoding", raw=b1.header + b"\xfe\xfd\x00\x00\x00" + b1.raw[83:])
    story.becomes_tip(b1)


@structure_case()
def count_that_lies(story: Story) -> None:
    """
    genesis -> b1*      two transactions announced as 1, 3, 65,535 and 2^64 - 1: bad-blk-encoding
    """
    b1 = story.block("b1", story.genesis, [story.pay(ALICE, 0, BOB, 1)])
    for lie in (1, 3, 65_535, 2**64 - 1):
        story.is_rejected(b1, "bad-blk-encoding", raw=b1.header + wire.compact_size(lie) + b1.raw[81:])
    story.becomes_tip(b1)


@structure_case()
def no_transactions_at_all(story: Story) -> None:
    """
    genesis -> b1*      the header over an empty body: bad-txnmrklroot
    """
    b1 = story.block("b1", story.genesis)
    story.is_rejected(b1, "bad-txnmrklroot", raw=b1.with_body([]))
    story.becomes_tip(b1)


@structure_case()
def unknown_transaction_type(story: Story) -> None:
    """
    genesis -> b1       a transaction of type 2, properly committed to: bad-blk-encoding
    """
    reward = wire.coinbase(1, MINER, SUBSIDY)
    foreign = b"\x02" + story.pay(ALICE, 0, BOB, 1)[1:]
    b1 = story.block("b1", story.genesis, transactions=[reward, foreign])
    story.is_rejected(b1, "bad-blk-encoding")


@structure_case()
def memo_length_past_the_end(story: Story) -> None:
    """
    genesis -> b1       the last transfer's memo_len promises one byte more than there is: bad-blk-encoding
    """
    body = wire.transfer_body(ALICE.key, 0, BOB.key, 1, 0)
    lying = body[:-2] + b"\x01\x00" + bytes(64)
    b1 = story.block("b1", story.genesis, [lying])
    story.is_rejected(b1, "bad-blk-encoding")


@structure_case()
def memo_length_at_its_greatest(story: Story) -> None:
    """
    genesis -> b1       memo_len 65,535 with nothing after it: bad-blk-encoding
    """
    body = wire.transfer_body(ALICE.key, 0, BOB.key, 1, 0)
    b1 = story.block("b1", story.genesis, [body[:-2] + b"\xff\xff" + bytes(64)])
    story.is_rejected(b1, "bad-blk-encoding")


@structure_case()
def extra_length_past_the_end(story: Story) -> None:
    """
    genesis -> b1       extra_len 255 over 32 bytes of extra: bad-blk-encoding
    """
    honest = wire.coinbase(1, MINER, SUBSIDY)
    lying = honest[: COINBASE_BYTES - 1] + b"\xff" + honest[COINBASE_BYTES:]
    b1 = story.block("b1", story.genesis, transactions=[lying])
    story.is_rejected(b1, "bad-blk-encoding")


@structure_case()
def block_of_the_greatest_size(story: Story) -> None:
    """
    genesis -> b1*      max_block_bytes exactly
            -> b2       one byte more: bad-blk-length
    """
    full = TRANSFER_BYTES + MAX_MEMO_BYTES
    fulls, left = divmod(MAX_BLOCK_BYTES - BLOCK_OVERHEAD, full)
    assert left >= TRANSFER_BYTES
    transfers = [story.pay(ALICE, sequence, BOB, 0, memo=bytes(MAX_MEMO_BYTES)) for sequence in range(fulls)]
    exact = story.pay(ALICE, fulls, BOB, 0, memo=bytes(left - TRANSFER_BYTES))
    over = story.pay(ALICE, fulls, BOB, 0, memo=bytes(left - TRANSFER_BYTES + 1))
    b1 = story.block("b1", story.genesis, [*transfers, exact])
    b2 = story.block("b2", story.genesis, [*transfers, over])
    assert (len(b1.raw), len(b2.raw)) == (MAX_BLOCK_BYTES, MAX_BLOCK_BYTES + 1)
    story.is_rejected(b2, "bad-blk-length")
    story.becomes_tip(b1)


@structure_case()
def good_block_padded_past_the_greatest_size(story: Story) -> None:
    """
    genesis -> b1*      under megabytes of trailing zeros: bad-blk-length, and b1 is not marked invalid
    """
    b1 = story.block("b1", story.genesis)
    story.is_rejected(b1, "bad-blk-length", raw=b1.raw + bytes(4_000_000))
    story.becomes_tip(b1)


@structure_case()
def memo_at_its_longest(story: Story) -> None:
    """
    genesis -> b1*      memo of 512 bytes
            -> b2       memo of 513 bytes: bad-tx-memo-length, and the block is invalid for good
                 -> b3  bad-prevblk
    """
    b1 = story.block("b1", story.genesis, [story.pay(ALICE, 0, BOB, 1, memo=bytes(MAX_MEMO_BYTES))])
    b2 = story.block("b2", story.genesis, [story.pay(ALICE, 0, BOB, 1, memo=bytes(MAX_MEMO_BYTES + 1))])
    story.is_rejected(b2, "bad-tx-memo-length")
    story.is_rejected(story.block("b3", b2), "bad-prevblk")
    story.becomes_tip(b1)


@structure_case()
def extra_at_its_longest(story: Story) -> None:
    """
    genesis -> b1*      extra of 100 bytes
            -> b2, b3   extra of 101 and 255 bytes: bad-cb-length
    """
    for name, size in (("b2", MAX_EXTRA_BYTES + 1), ("b3", 255)):
        story.is_rejected(story.block(name, story.genesis, extra=bytes(size)), "bad-cb-length")
    story.grow("b1", story.genesis, extra=bytes(MAX_EXTRA_BYTES))


@structure_case()
def extra_at_its_shortest(story: Story) -> None:
    """
    genesis -> b1*      extra of 32 bytes
            -> b2, b3   extra of 31 and of no bytes, beside a transfer: bad-cb-length
                 -> b4  on b2: bad-prevblk
    """
    pay = story.pay(ALICE, 0, BOB, 1)
    b2 = story.block("b2", story.genesis, [pay], extra=bytes(MIN_EXTRA_BYTES - 1))
    story.is_rejected(b2, "bad-cb-length")
    story.is_rejected(story.block("b3", story.genesis, [pay], extra=b""), "bad-cb-length")
    story.is_rejected(story.block("b4", b2), "bad-prevblk")
    story.grow("b1", story.genesis, [pay], extra=bytes(MIN_EXTRA_BYTES))


@structure_case()
def short_extra_alone(story: Story) -> None:
    """
    genesis -> b1       a lone coinbase of 77 bytes: shorter than any transaction may be, so bad-blk-encoding
    """
    b1 = story.block("b1", story.genesis, extra=bytes(MIN_EXTRA_BYTES - 1))
    story.is_rejected(b1, "bad-blk-encoding")


@structure_case()
def inner_node_as_a_coinbase(story: Story) -> None:
    """
    genesis -> b1*      first over a body that is the 64 bytes under its merkle root, made to read as a coinbase with
                        18 bytes of extra (CVE-2017-12842): bad-blk-encoding; then over its own body
    """
    b1 = _block_whose_node_reads_as_coinbase(story)
    left, right = (wire.sha256d(transaction) for transaction in b1.transactions)
    node = left + right
    assert (node[0], node[COINBASE_BYTES - 1]) == (0, 64 - COINBASE_BYTES)
    assert wire.root_of([node]) == b1.header[36:68]
    story.is_rejected(b1, "bad-blk-encoding", raw=b1.with_body([node]))
    story.becomes_tip(b1)


def _block_whose_node_reads_as_coinbase(story: Story) -> Forged:
    """Two transactions, their free bytes varied until their ids have a zero and an 18 in the right places."""
    rewards = (wire.coinbase(1, MINER, SUBSIDY, n.to_bytes(MIN_EXTRA_BYTES, "little")) for n in count())
    pays = (story.pay(ALICE, 0, BOB, 1, memo=n.to_bytes(4, "little")) for n in count())
    reward = next(raw for raw in rewards if wire.sha256d(raw)[0] == 0)
    pay = next(raw for raw in pays if wire.sha256d(raw)[COINBASE_BYTES - 1 - 32] == 64 - COINBASE_BYTES)
    return story.block("b1", story.genesis, transactions=[reward, pay])


@structure_case()
def lone_transactions(story: Story) -> None:
    """
    genesis*            a transfer by itself is fine; cut, padded or of unknown type it is bad-tx-encoding, with a
                        memo of 513 bytes bad-tx-memo-length, and a coinbase by itself is bad-cb-multiple
    """
    pay = story.pay(ALICE, 0, BOB, 1, memo=b"memo")
    story.transaction(pay, None)
    for raw in (b"", pay[:1], pay[:-1], pay + b"\0", b"\x02" + pay[1:], b"\xff" + pay[1:]):
        story.transaction(raw, "bad-tx-encoding")
    story.transaction(story.pay(ALICE, 0, BOB, 1, memo=bytes(MAX_MEMO_BYTES)), None)
    story.transaction(story.pay(ALICE, 0, BOB, 1, memo=bytes(MAX_MEMO_BYTES + 1)), "bad-tx-memo-length")
    story.transaction(wire.coinbase(1, MINER, SUBSIDY), "bad-cb-multiple")
    story.transaction(wire.coinbase(1, MINER, SUBSIDY, bytes(MAX_EXTRA_BYTES + 1)), "bad-cb-length")
