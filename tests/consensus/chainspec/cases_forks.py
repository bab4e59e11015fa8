"""Fork choice: branches, ties, reorganisations, invalid branches, and blocks that come before their parents."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tests.consensus.chainspec.limits import ALICE, ALICE_FUNDS, BOB, BOB_FUNDS, CAROL, NETWORK, SUBSIDY
from tests.consensus.chainspec.story import Case, Story, case
from tests.support.forge import Forged
from tests.support.network import GENESIS_TIME, Network

CASES: list[Case] = []
fork_case = partial(case, into=CASES)

HARDER_BITS = 0x201FFFFF
"""A fourth of the easy target: four times the work."""
WORK = replace(NETWORK, start_time=GENESIS_TIME, retarget="bitcoin", retarget_params={"window": 4})
LENGTH = replace(WORK, fork_choice="longest")


@fork_case()
def first_seen_wins_a_tie(story: Story) -> None:
    """
    genesis -> a1*
            -> b1
    """
    story.grow("a1", story.genesis)
    story.branch("b1", story.genesis)


@fork_case()
def one_more_block_wins(story: Story) -> None:
    """
    genesis -> a1
            -> b1 -> b2*
    """
    story.grow("a1", story.genesis)
    b1 = story.branch("b1", story.genesis)
    story.grow("b2", b1)


@fork_case()
def tie_again_at_a_greater_height(story: Story) -> None:
    """
    genesis -> a1 -> a2
            -> b1 -> b2 -> b3*
    """
    a1 = story.grow("a1", story.genesis)
    b1 = story.branch("b1", story.genesis)
    b2 = story.grow("b2", b1)
    story.branch("a2", a1)
    story.grow("b3", b2)


@fork_case()
def there_and_back(story: Story) -> None:
    """
    genesis -> a1 -> a2 -------------> a3 -> a4*
            -> b1 -> b2 -> b3
    """
    a1 = story.grow("a1", story.genesis)
    a2 = story.grow("a2", a1)
    b1 = story.branch("b1", story.genesis)
    b2 = story.branch("b2", b1)
    story.grow("b3", b2)
    a3 = story.branch("a3", a2)
    story.grow("a4", a3)


@fork_case()
def three_branches(story: Story) -> None:
    """
    genesis -> a1 -> a2
                  -> c2 -> c3*
            -> b1 -> b2
    """
    a1 = story.grow("a1", story.genesis)
    story.grow("a2", a1)
    b1 = story.branch("b1", story.genesis)
    c2 = story.branch("c2", a1)
    story.branch("b2", b1)
    story.grow("c3", c2)


@fork_case()
def long_partition(story: Story) -> None:
    """
    genesis -> a1 -> ... -> a20
            -> b1 -> ... -> b20 -> b21*
    """
    tip = story.genesis
    for number in range(1, 21):
        tip = story.grow(f"a{number}", tip)
    tip = story.genesis
    for number in range(1, 21):
        tip = story.branch(f"b{number}", tip)
    story.grow("b21", tip)


@fork_case()
def state_follows_the_branch(story: Story) -> None:
    """
    genesis -> a1 (alice pays bob 10) -> a2 (bob pays carol 505)
            -> b1 (alice pays carol 3) -> b2 -> b3*
    """
    a1 = story.grow("a1", story.genesis, [story.pay(ALICE, 0, BOB, 10)])
    story.grow("a2", a1, [story.pay(BOB, 0, CAROL, BOB_FUNDS + 5)])
    story.account(CAROL, BOB_FUNDS + 5, 0)
    b1 = story.branch("b1", story.genesis, [story.pay(ALICE, 0, CAROL, 3)])
    b2 = story.branch("b2", b1)
    story.grow("b3", b2)
    story.account(ALICE, ALICE_FUNDS - 3, 1)
    story.account(BOB, BOB_FUNDS, 0)
    story.account(CAROL, 3, 0)


@fork_case()
def same_transfer_on_both_branches(story: Story) -> None:
    """
    genesis -> a1 (t)
            -> b1 (t) -> b2*        one transfer, mined once on either side
                      -> b3         and on one side twice: bad-tx-sequence
    """
    pay = story.pay(ALICE, 0, BOB, 10)
    story.grow("a1", story.genesis, [pay])
    b1 = story.branch("b1", story.genesis, [pay])
    b2 = story.grow("b2", b1)
    story.account(BOB, BOB_FUNDS + 10, 0)
    story.is_rejected(story.block("b3", b2, [pay]), "bad-tx-sequence")


@fork_case()
def double_spend_across_branches(story: Story) -> None:
    """
    genesis -> a1 (bob pays alice all) ----------> a2 -> a3*
            -> b1 (bob pays carol all) -> b2
    """
    a1 = story.grow("a1", story.genesis, [story.pay(BOB, 0, ALICE, BOB_FUNDS)])
    b1 = story.branch("b1", story.genesis, [story.pay(BOB, 0, CAROL, BOB_FUNDS)])
    story.grow("b2", b1)
    story.account(CAROL, BOB_FUNDS, 0)
    a2 = story.branch("a2", a1)
    story.grow("a3", a2)
    story.account(ALICE, ALICE_FUNDS + BOB_FUNDS, 0)
    story.account(CAROL, 0, 0)


@fork_case()
def transfer_that_needs_the_other_branch(story: Story) -> None:
    """
    genesis -> a1 (alice pays carol) -> a2 (carol pays bob)*
            -> b1 -> b2 (carol pays bob) -> b3      carol has nothing here: bad-tx-balance where it would win
    """
    a1 = story.grow("a1", story.genesis, [story.pay(ALICE, 0, CAROL, 10)])
    spend = story.pay(CAROL, 0, BOB, 10)
    story.grow("a2", a1, [spend])
    b1 = story.branch("b1", story.genesis)
    b2 = story.branch("b2", b1)
    story.is_rejected(story.block("b3", b2, [spend]), "bad-tx-balance")


@fork_case()
def reward_of_the_branch_matures(story: Story) -> None:
    """
    genesis -> a1 (to carol) -> a2 -> a3
            -> b1 (to alice) -> b2 -> b3 -> b4*     at height 3 the branch's own first reward is credited
    """
    a1 = story.grow("a1", story.genesis, miner=CAROL.key)
    a2 = story.grow("a2", a1)
    story.grow("a3", a2)
    story.account(CAROL, SUBSIDY, 0)
    b1 = story.branch("b1", story.genesis, miner=ALICE.key)
    b2 = story.branch("b2", b1)
    b3 = story.branch("b3", b2)
    story.grow("b4", b3)
    story.account(CAROL, 0, 0)
    story.account(ALICE, ALICE_FUNDS + SUBSIDY, 0)


@fork_case()
def reward_of_the_other_branch_is_no_money(story: Story) -> None:
    """
    genesis -> a1 (to carol) -> a2 -> a3 -> a4 (carol pays bob)*
            -> b1            -> b2 -> b3 -> b4 -> b5 (carol pays bob)      bad-tx-balance
    """
    tip = story.grow("a1", story.genesis, miner=CAROL.key)
    for number in (2, 3):
        tip = story.grow(f"a{number}", tip)
    spend = story.pay(CAROL, 0, BOB, 1)
    story.grow("a4", tip, [spend])
    tip = story.genesis
    for number in range(1, 5):
        tip = story.branch(f"b{number}", tip)
    story.is_rejected(story.block("b5", tip, [spend]), "bad-tx-balance")


@fork_case()
def invalid_block_inside_the_heavier_branch(story: Story) -> None:
    """
    genesis -> a1 -> a2*
            -> b1 -> b2 (claims too much) -> b3     found where b3 would win: bad-prevblk, and a2 stays
                                          -> b4     bad-prevblk
    """
    a1 = story.grow("a1", story.genesis)
    story.grow("a2", a1)
    b1 = story.branch("b1", story.genesis)
    b2 = story.branch("b2", b1, claim=SUBSIDY + 1)
    story.is_rejected(story.block("b3", b2), "bad-prevblk")
    story.is_rejected(story.block("b4", b2), "bad-prevblk")


@fork_case()
def valid_part_of_an_invalid_branch(story: Story) -> None:
    """
    genesis -> a1
            -> b1 -> b2* -> b3 (names a wrong height)       sent b3 b1 b2: b2 wins, b3 is bad-cb-height
    """
    story.grow("a1", story.genesis)
    b1 = story.block("b1", story.genesis)
    b2 = story.block("b2", b1)
    b3 = story.block("b3", b2, height=9)
    story.is_pending(b3, "prev-blk-not-found")
    story.is_kept(b1)
    story.becomes_tip(b2)
    story.is_rejected(b3, "bad-cb-height")


@fork_case()
def side_branch_after_an_invalid_one(story: Story) -> None:
    """
    genesis -> a1 --------------------------> a2 -> a3*
            -> b1 -> b2 (no such funds)
    """
    a1 = story.grow("a1", story.genesis)
    b1 = story.branch("b1", story.genesis)
    story.is_rejected(story.block("b2", b1, [story.pay(CAROL, 0, BOB, 1)]), "bad-tx-balance")
    a2 = story.grow("a2", a1)
    story.grow("a3", a2)


@fork_case()
def descendants_of_the_invalid(story: Story) -> None:
    """
    genesis -> b1 -> b2 (claims too much) -> b3 -> b4       bad-prevblk for b3; b4 has no parent here
                  -> c2*                                    the ancestors of the invalid are fine
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.block("b2", b1, claim=SUBSIDY + 1)
    b3 = story.block("b3", b2)
    story.is_rejected(b2, "bad-cb-amount")
    story.is_rejected(b3, "bad-prevblk")
    story.stays_out(story.block("b4", b3), "bad-prevblk")
    story.grow("c2", b1)


@fork_case()
def invalid_for_good(story: Story) -> None:
    """
    genesis -> b1 (claims too little)       sent three times: rejected each time
            -> b2*
    """
    b1 = story.block("b1", story.genesis, claim=SUBSIDY - 1)
    story.is_rejected(b1, "bad-cb-amount")
    story.grow("b2", story.genesis)
    story.is_rejected(b1, "bad-cb-amount")
    story.is_rejected(b1, "bad-cb-amount")


@fork_case()
def known_block_again(story: Story) -> None:
    """
    genesis -> a1 -> a2*        each sent again, and the losing b1 too: nothing changes
            -> b1
    """
    a1 = story.grow("a1", story.genesis)
    b1 = story.branch("b1", story.genesis)
    a2 = story.grow("a2", a1)
    for known in (a1, a2, b1):
        story.is_kept(known)


@fork_case()
def child_before_its_parent(story: Story) -> None:
    """
    genesis -> b1 -> b2*        b2 first: prev-blk-not-found, which is no verdict
    """
    b1 = story.block("b1", story.genesis)
    b2 = story.block("b2", b1)
    story.is_pending(b2, "prev-blk-not-found")
    story.arrives(b1)
    story.becomes_tip(b2)


@fork_case()
def family_in_reverse(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3 -> b4*        sent b4 b3 b2 b1, then in order
    """
    family = _line(story, "b", 4)
    for block in reversed(family[1:]):
        story.is_pending(block, "prev-blk-not-found")
    for block in family[:-1]:
        story.arrives(block)
    story.becomes_tip(family[-1])


def _line(story: Story, prefix: str, length: int) -> list[Forged]:
    """Blocks in a row on genesis, made and not sent."""
    blocks = [story.genesis]
    for number in range(1, length + 1):
        blocks.append(story.block(f"{prefix}{number}", blocks[-1]))
    return blocks[1:]


@fork_case()
def block_of_nowhere(story: Story) -> None:
    """
    genesis -> b1*
          ? -> x1       on a parent that nobody has: prev-blk-not-found; without proof of work: high-hash
    """
    elsewhere = replace(story.genesis, header=story.genesis.header[:-1] + b"\x01")
    story.is_pending(story.block("x1", elsewhere), "prev-blk-not-found")
    story.is_rejected(story.block("x2", elsewhere, solved=False), "high-hash")
    story.grow("b1", story.genesis)


@fork_case()
def time_is_judged_by_the_branch(story: Story) -> None:
    """
    genesis -> a1 -> a2 -> a3           late times
            -> b1 -> b2 -> b3 -> b4*    early times: fine on this branch
                  -> x2                 not after b1: time-too-old
    """
    start = story.network.start_time
    tip = story.genesis
    for number in range(1, 4):
        tip = story.grow(f"a{number}", tip, time=start + 1000 * number)
    b1 = story.branch("b1", story.genesis, time=start)
    story.is_rejected(story.block("x2", b1, time=start), "time-too-old")
    b2 = story.branch("b2", b1, time=start + 1)
    b3 = story.branch("b3", b2, time=start + 2)
    story.grow("b4", b3, time=start + 3)


def _fast_and_slow(story: Story) -> tuple[list[Forged], list[Forged]]:
    """Two branches: five blocks of which two are four times as hard, and six easy ones."""
    fast = [story.genesis]
    for number in range(1, 6):
        bits = HARDER_BITS if number >= 4 else None
        fast.append(story.block(f"f{number}", fast[-1], time=GENESIS_TIME + number, bits=bits))
    slow = [story.genesis]
    for number in range(1, 7):
        slow.append(story.block(f"s{number}", slow[-1], time=GENESIS_TIME + 100 * number))
    return fast[1:], slow[1:]


@fork_case(WORK)
def work_beats_length(story: Story) -> None:
    """
    genesis -> f1 f2 f3 F4 F5*              2 + 2 + 2 + 8 + 8 hashes of work
            -> s1 s2 s3 s4 s5 s6            6 * 2: longer and lighter
    """
    fast, slow = _fast_and_slow(story)
    for block in fast:
        story.becomes_tip(block)
    for block in slow:
        story.is_kept(block)


@fork_case(WORK)
def work_beats_length_when_it_comes_second(story: Story) -> None:
    """
    genesis -> s1 s2 s3 s4 s5 s6
            -> f1 f2 f3 F4 F5*              F4 brings the branch to 14 of work against 12
    """
    fast, slow = _fast_and_slow(story)
    for block in slow:
        story.becomes_tip(block)
    for block in fast[:3]:
        story.is_kept(block)
    for block in fast[3:]:
        story.becomes_tip(block)


@fork_case(LENGTH)
def length_beats_work_where_the_spec_says_longest(story: Story) -> None:
    """
    genesis -> f1 f2 f3 F4 F5
            -> s1 s2 s3 s4 s5 s6*           the same blocks as in the case before, on another genesis
    """
    fast, slow = _fast_and_slow(story)
    for block in fast:
        story.becomes_tip(block)
    for block in slow[:5]:
        story.is_kept(block)
    story.becomes_tip(slow[5])


@fork_case()
def other_genesis(story: Story) -> None:
    """
    genesis*
    genesis' -> x1      a block of a chain whose rules differ by one second of spacing: prev-blk-not-found
    """
    other = Story(_with_spacing(story.network, story.network.spacing_s + 1))
    assert other.genesis.hash != story.genesis.hash
    story.is_pending(other.block("x1", other.genesis), "prev-blk-not-found")


def _with_spacing(network: Network, spacing_s: int) -> Network:
    return replace(network, spacing_s=spacing_s)
