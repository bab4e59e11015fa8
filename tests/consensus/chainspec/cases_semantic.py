"""Level 2: proof of work, merkle root, coinbase place and bounds of transfers. One block alone shows them."""

from __future__ import annotations

from functools import partial

from tests.consensus.chainspec.limits import ALICE, BOB, CAROL, SEQUENCE_LIMIT, SUBSIDY, U64_MAX
from tests.consensus.chainspec.story import Case, Story, case
from tests.support import wire
from tests.support.forge import MINER

CASES: list[Case] = []
semantic_case = partial(case, into=CASES)


@semantic_case()
def no_proof_of_work(story: Story) -> None:
    """
    genesis -> b1       a nonce whose hash is above the target: high-hash
            -> b2*      the same header with a nonce that proves work
    """
    b1 = story.block("b1", story.genesis, solved=False, extra=bytes(32))
    story.is_rejected(b1, "high-hash")
    b2 = story.grow("b2", story.genesis, extra=bytes(32))
    assert b1.header[:76] == b2.header[:76]


@semantic_case()
def bits_that_encode_no_target(story: Story) -> None:
    """
    genesis -> b1..b5   bits negative, zero (two ways), over 256 bits, over pow_limit: bad-bits-encoding
    """
    encodings = {"b1": 0x20FFFFFF, "b2": 0x20000000, "b3": 0x01003456, "b4": 0xFF7FFFFF, "b5": 0x2100FFFF}
    for name, bits in encodings.items():
        raw_header = wire.header(1, story.genesis.hash, bytes(32), story.network.start_time, bits, 0)
        block = story.block(name, story.genesis)
        story.is_rejected(block, "bad-bits-encoding", raw=raw_header + block.raw[80:])


@semantic_case()
def any_version(story: Story) -> None:
    """
    genesis -> v0 -> v1 -> v2 -> v3 -> v4*      versions 0, -1, 2^31 - 1, -2^31, and version-rolling bits
    """
    tip = story.genesis
    for number, version in enumerate((0, -1, 2**31 - 1, -(2**31), 0x20000000 | 0x1FFFE000)):
        tip = story.grow(f"v{number}", tip, version=version)


@semantic_case()
def body_of_another_block(story: Story) -> None:
    """
    genesis -> b1*      with b2's body, with a transfer more, with one less: bad-txnmrklroot; then with its own
            -> b2
    """
    first, second = story.pay(ALICE, 0, BOB, 1), story.pay(ALICE, 1, BOB, 2)
    b1 = story.block("b1", story.genesis, [first, second])
    b2 = story.block("b2", story.genesis)
    reward = b1.transactions[0]
    for body in (b2.transactions, (*b1.transactions, story.pay(ALICE, 2, BOB, 3)), (reward, first)):
        story.is_rejected(b1, "bad-txnmrklroot", raw=b1.with_body(body))
    story.becomes_tip(b1)


@semantic_case()
def body_in_another_order(story: Story) -> None:
    """
    genesis -> b1*      two transfers swapped: bad-txnmrklroot; then in order
    """
    first, second = story.pay(ALICE, 0, CAROL, 1), story.pay(BOB, 0, CAROL, 2)
    b1 = story.block("b1", story.genesis, [first, second])
    story.is_rejected(b1, "bad-txnmrklroot", raw=b1.with_body([b1.transactions[0], second, first]))
    story.becomes_tip(b1)


@semantic_case()
def root_that_fits_nothing(story: Story) -> None:
    """
    genesis -> b1       a merkle root of zeros: bad-txnmrklroot, and so is the internal order reversed
    """
    story.is_rejected(story.block("b1", story.genesis, root=bytes(32)), "bad-txnmrklroot")
    backwards = wire.root_of([wire.coinbase(1, MINER, SUBSIDY)])[::-1]
    b2 = story.block("b2", story.genesis, root=backwards, transactions=[wire.coinbase(1, MINER, SUBSIDY)])
    story.is_rejected(b2, "bad-txnmrklroot")


@semantic_case()
def signature_is_part_of_the_id(story: Story) -> None:
    """
    genesis -> b1*      the transfer's signature altered in the body: another txid, so bad-txnmrklroot
    """
    b1 = story.block("b1", story.genesis, [story.pay(ALICE, 0, BOB, 1)])
    reward, pay = b1.transactions
    story.is_rejected(b1, "bad-txnmrklroot", raw=b1.with_body([reward, pay[:-1] + bytes([pay[-1] ^ 1])]))
    story.becomes_tip(b1)


@semantic_case()
def last_of_three_doubled(story: Story) -> None:
    """
    genesis -> b1*      t0 t1 t2 sent as t0 t1 t2 t2: the same root (CVE-2012-2459), bad-txns-duplicate; then as made
    """
    b1 = story.block("b1", story.genesis, [story.pay(ALICE, 0, BOB, 1), story.pay(ALICE, 1, BOB, 2)])
    mutant = [*b1.transactions, b1.transactions[-1]]
    assert wire.root_of(mutant) == wire.root_of(b1.transactions)
    story.is_rejected(b1, "bad-txns-duplicate", raw=b1.with_body(mutant))
    story.becomes_tip(b1)


@semantic_case()
def last_pair_of_six_doubled(story: Story) -> None:
    """
    genesis -> b1*      t0..t5 sent as t0..t5 t4 t5: equal nodes one level up, bad-txns-duplicate; then as made
    """
    b1 = story.block("b1", story.genesis, [story.pay(ALICE, sequence, BOB, 1) for sequence in range(5)])
    mutant = [*b1.transactions, *b1.transactions[-2:]]
    assert wire.root_of(mutant) == wire.root_of(b1.transactions)
    story.is_rejected(b1, "bad-txns-duplicate", raw=b1.with_body(mutant))
    story.becomes_tip(b1)


@semantic_case()
def mutant_after_the_good_body(story: Story) -> None:
    """
    genesis -> b1*      accepted, then sent again mutated: the bytes are refused, the block stays
    """
    b1 = story.grow("b1", story.genesis, [story.pay(ALICE, 0, BOB, 1), story.pay(ALICE, 1, BOB, 2)])
    story.is_rejected(b1, "bad-txns-duplicate", raw=b1.with_body([*b1.transactions, b1.transactions[-1]]))
    story.grow("b2", b1)


@semantic_case()
def lone_coinbase_doubled(story: Story) -> None:
    """
    genesis -> b1*      one transaction: its root is its txid, so doubling it changes the root: bad-txnmrklroot
    """
    b1 = story.block("b1", story.genesis)
    story.is_rejected(b1, "bad-txnmrklroot", raw=b1.with_body(b1.transactions * 2))
    story.becomes_tip(b1)


@semantic_case()
def header_over_a_mutated_tree(story: Story) -> None:
    """
    genesis -> b1       commits to t0 t1 t2 t2: no body of it is unmutated, bad-txns-duplicate
    """
    twice = story.pay(ALICE, 0, BOB, 1)
    b1 = story.block("b1", story.genesis, [story.pay(BOB, 0, ALICE, 1), twice, twice])
    story.is_rejected(b1, "bad-txns-duplicate")


@semantic_case()
def coinbase_missing(story: Story) -> None:
    """
    genesis -> b1       transfers alone: bad-cb-missing
            -> b2       the coinbase stands second: bad-cb-missing
                 -> b3  bad-prevblk
    """
    pay, reward = story.pay(ALICE, 0, BOB, 1), wire.coinbase(1, MINER, SUBSIDY)
    story.is_rejected(story.block("b1", story.genesis, transactions=[pay]), "bad-cb-missing")
    b2 = story.block("b2", story.genesis, transactions=[pay, reward])
    story.is_rejected(b2, "bad-cb-missing")
    story.is_rejected(story.block("b3", b2), "bad-prevblk")


@semantic_case()
def coinbase_twice(story: Story) -> None:
    """
    genesis -> b1       two coinbases first: bad-cb-multiple
            -> b2       a second one at the end: bad-cb-multiple
    """
    pay = story.pay(ALICE, 0, BOB, 1)
    reward, another = wire.coinbase(1, MINER, SUBSIDY), wire.coinbase(1, MINER, 0)
    story.is_rejected(story.block("b1", story.genesis, transactions=[reward, another]), "bad-cb-multiple")
    story.is_rejected(story.block("b2", story.genesis, transactions=[reward, pay, another]), "bad-cb-multiple")


@semantic_case()
def sequence_that_is_never_valid(story: Story) -> None:
    """
    genesis -> b1       sequence 2^64 - 1: bad-tx-sequence-limit
            -> b2       one less is possible, but not alice's next: bad-tx-sequence
    """
    b1 = story.block("b1", story.genesis, [story.pay(ALICE, SEQUENCE_LIMIT, BOB, 1)])
    b2 = story.block("b2", story.genesis, [story.pay(ALICE, SEQUENCE_LIMIT - 1, BOB, 1)])
    story.is_rejected(b1, "bad-tx-sequence-limit")
    story.is_rejected(b2, "bad-tx-sequence")


@semantic_case()
def amount_and_fee_overflow(story: Story) -> None:
    """
    genesis -> b1       amount + fee = 2^64: bad-tx-amount-overflow
            -> b2       both 2^64 - 1: bad-tx-amount-overflow
            -> b3       amount + fee = 2^64 - 1: possible, but nobody has that much: bad-tx-balance
    """
    for name, amount, fee in (("b1", U64_MAX, 1), ("b2", U64_MAX, U64_MAX)):
        b = story.block(name, story.genesis, [story.pay(ALICE, 0, BOB, amount, fee)], claim=SUBSIDY)
        story.is_rejected(b, "bad-tx-amount-overflow")
    b3 = story.block("b3", story.genesis, [story.pay(ALICE, 0, BOB, U64_MAX - 1, 1)])
    story.is_rejected(b3, "bad-tx-balance")


@semantic_case()
def work_is_judged_before_the_body(story: Story) -> None:
    """
    genesis -> b1       no proof of work and a wrong body: high-hash
            -> b2       a wrong body and a second coinbase in it: bad-txnmrklroot
    """
    reward = wire.coinbase(1, MINER, SUBSIDY)
    b1 = story.block("b1", story.genesis, solved=False, root=bytes(32))
    b2 = story.block("b2", story.genesis, root=bytes(32), transactions=[reward, reward])
    story.is_rejected(b1, "high-hash")
    story.is_rejected(b2, "bad-txnmrklroot")
