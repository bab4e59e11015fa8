"""Level 3: the ledger. Coinbase, sequences and balances, judged in block order on the parent's state."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tests.consensus.chainspec.limits import (
    ALICE,
    ALICE_FUNDS,
    BOB,
    BOB_FUNDS,
    CAROL,
    HALVING_INTERVAL,
    MATURITY,
    MAX_HALVINGS,
    NETWORK,
    NOBODY,
    SUBSIDY,
)
from tests.consensus.chainspec.story import Case, Story, case

CASES: list[Case] = []
ledger_case = partial(case, into=CASES)

AT_ONCE = replace(NETWORK, maturity=0)
NEXT_BLOCK = replace(NETWORK, maturity=1)


@ledger_case()
def coinbase_names_its_height(story: Story) -> None:
    """
    genesis -> b1 -> b2, b3, b4     names heights 1, 3, 0 at height 2: bad-cb-height
                  -> b5*            names 2
    """
    b1 = story.grow("b1", story.genesis)
    for name, height in (("b2", 1), ("b3", 3), ("b4", 0)):
        story.is_rejected(story.block(name, b1, height=height), "bad-cb-height")
    story.grow("b5", b1)


@ledger_case()
def claim_is_exact(story: Story) -> None:
    """
    genesis -> b1, b2, b3, b4       one unit more, one less, nothing, all there is: bad-cb-amount
            -> b5*                  the subsidy
    """
    for name, claim in (("b1", SUBSIDY + 1), ("b2", SUBSIDY - 1), ("b3", 0), ("b4", 2**64 - 1)):
        story.is_rejected(story.block(name, story.genesis, claim=claim), "bad-cb-amount")
    story.grow("b5", story.genesis)


@ledger_case()
def claim_includes_all_fees(story: Story) -> None:
    """
    genesis -> b1, b2, b3       without the fees 7 + 5, with one of them, with one unit more: bad-cb-amount
            -> b4*              with both
    """
    pays = [story.pay(ALICE, 0, BOB, 1, 7), story.pay(BOB, 0, ALICE, 1, 5)]
    for name, claim in (("b1", SUBSIDY), ("b2", SUBSIDY + 7), ("b3", SUBSIDY + 13)):
        story.is_rejected(story.block(name, story.genesis, pays, claim=claim), "bad-cb-amount")
    story.grow("b4", story.genesis, pays, claim=SUBSIDY + 12)


@ledger_case()
def subsidy_halves(story: Story) -> None:
    """
    genesis -> b1 -> ... -> b5 -> b6        at the halving interval, the whole subsidy: bad-cb-amount
                               -> b7*       half of it
    """
    tip = story.genesis
    for height in range(1, HALVING_INTERVAL):
        tip = story.grow(f"b{height}", tip, claim=SUBSIDY)
    story.is_rejected(story.block("b6", tip, claim=SUBSIDY), "bad-cb-amount")
    story.grow("b7", tip, claim=SUBSIDY // 2)


@ledger_case(replace(NETWORK, halving_interval=1, initial_subsidy=13))
def subsidy_rounds_down_to_nothing(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3 -> b4 -> b5*      13 halved each block: 6, 3, 1, 0, 0
    """
    tip = story.genesis
    for number, claim in enumerate((6, 3, 1, 0, 0), 1):
        tip = story.grow(f"b{number}", tip, claim=claim)
    story.is_rejected(story.block("b6", tip, claim=1), "bad-cb-amount")


@ledger_case(replace(NETWORK, halving_interval=1, initial_subsidy=2**62))
def subsidy_ends_after_64_halvings(story: Story) -> None:
    """
    genesis -> b1 -> ... -> b62 -> ... -> b66*      b62 creates the last unit, and no shift wraps around after 64
    """
    tip = story.genesis
    for height in range(1, MAX_HALVINGS + 3):
        tip = story.grow(f"b{height}", tip, claim=2**62 // 2**height)


@ledger_case(replace(NETWORK, halving_interval=0, initial_subsidy=0))
def chain_without_subsidy(story: Story) -> None:
    """
    genesis -> b1       claims one unit: bad-cb-amount
            -> b2*      claims the fee alone
    """
    pay = story.pay(ALICE, 0, BOB, 1, 3)
    story.is_rejected(story.block("b1", story.genesis, claim=1), "bad-cb-amount")
    story.grow("b2", story.genesis, [pay], claim=3)


@ledger_case()
def reward_matures(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3       maturity 2: b1's reward is credited by b3, after its transfers: bad-tx-balance
                        -> b4 -> b5*    spent in the block after
    """
    assert MATURITY == 2
    b1 = story.grow("b1", story.genesis, miner=CAROL.key)
    b2 = story.grow("b2", b1)
    story.account(CAROL, 0, 0)
    spend = story.pay(CAROL, 0, BOB, 1)
    story.is_rejected(story.block("b3", b2, [spend]), "bad-tx-balance")
    b4 = story.grow("b4", b2)
    story.account(CAROL, SUBSIDY, 0)
    story.grow("b5", b4, [spend])
    story.account(CAROL, SUBSIDY - 1, 1)


@ledger_case(NEXT_BLOCK)
def reward_matures_in_the_next_block(story: Story) -> None:
    """
    genesis -> b1 -> b2         maturity 1: not yet in b2, bad-tx-balance
                  -> b3 -> b4*
    """
    b1 = story.grow("b1", story.genesis, miner=CAROL.key)
    spend = story.pay(CAROL, 0, BOB, SUBSIDY)
    story.is_rejected(story.block("b2", b1, [spend]), "bad-tx-balance")
    b3 = story.grow("b3", b1)
    story.grow("b4", b3, [spend])
    story.account(CAROL, 0, 1)
    story.account(BOB, BOB_FUNDS + SUBSIDY, 0)


@ledger_case(AT_ONCE)
def reward_matures_at_once(story: Story) -> None:
    """
    genesis -> b1       maturity 0: still after the block's own transfers, bad-tx-balance
            -> b2 -> b3*
    """
    spend = story.pay(CAROL, 0, BOB, SUBSIDY)
    story.is_rejected(story.block("b1", story.genesis, [spend], miner=CAROL.key), "bad-tx-balance")
    b2 = story.grow("b2", story.genesis, miner=CAROL.key)
    story.account(CAROL, SUBSIDY, 0)
    story.grow("b3", b2, [spend])


@ledger_case(AT_ONCE)
def fees_mature_with_the_reward(story: Story) -> None:
    """
    genesis -> b1*      the miner gets subsidy and fees, even if it paid the fee itself
    """
    story.grow("b1", story.genesis, [story.pay(ALICE, 0, BOB, 10, 4)], miner=ALICE.key)
    story.account(ALICE, ALICE_FUNDS - 14 + SUBSIDY + 4, 1)
    story.account(BOB, BOB_FUNDS + 10, 0)


@ledger_case()
def genesis_pays_nobody(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3*      no reward of height 0 ever matures
    """
    tip = story.genesis
    for number in range(1, MATURITY + 2):
        tip = story.grow(f"b{number}", tip)
        story.account(NOBODY, 0, 0)


@ledger_case()
def allocations_are_there_from_the_start(story: Story) -> None:
    """
    genesis -> b1*      alice and bob spend what genesis gave them, all of it
    """
    story.account(ALICE, ALICE_FUNDS, 0)
    story.account(BOB, BOB_FUNDS, 0)
    pays = [story.pay(ALICE, 0, CAROL, ALICE_FUNDS), story.pay(BOB, 0, CAROL, BOB_FUNDS)]
    story.grow("b1", story.genesis, pays)
    story.account(CAROL, ALICE_FUNDS + BOB_FUNDS, 0)
    story.account(ALICE, 0, 1)


@ledger_case()
def exact_balance(story: Story) -> None:
    """
    genesis -> b1, b2       amount, or fee, one unit over the balance: bad-tx-balance
            -> b3*          amount + fee = balance
    """
    for name, amount, fee in (("b1", BOB_FUNDS - 9, 10), ("b2", 0, BOB_FUNDS + 1)):
        story.is_rejected(story.block(name, story.genesis, [story.pay(BOB, 0, ALICE, amount, fee)]), "bad-tx-balance")
    story.grow("b3", story.genesis, [story.pay(BOB, 0, ALICE, BOB_FUNDS - 10, 10)])
    story.account(BOB, 0, 1)


@ledger_case()
def spend_chain_within_a_block(story: Story) -> None:
    """
    genesis -> b1       carol spends before alice pays carol: bad-tx-balance
            -> b2*      alice pays carol, carol bob, bob alice
    """
    a, b, c = story.pay(ALICE, 0, CAROL, 900), story.pay(CAROL, 0, BOB, 800), story.pay(BOB, 0, ALICE, BOB_FUNDS + 800)
    story.is_rejected(story.block("b1", story.genesis, [b, a, c]), "bad-tx-balance")
    story.grow("b2", story.genesis, [a, b, c])
    story.account(ALICE, ALICE_FUNDS - 900 + BOB_FUNDS + 800, 1)
    story.account(BOB, 0, 1)
    story.account(CAROL, 100, 1)


@ledger_case()
def sequences_run_within_a_block(story: Story) -> None:
    """
    genesis -> b1, b2       0 2 and 1 0: bad-tx-sequence
            -> b3*          0 1 2
    """
    zero, one, two = (story.pay(ALICE, sequence, BOB, 1) for sequence in range(3))
    story.is_rejected(story.block("b1", story.genesis, [zero, two]), "bad-tx-sequence")
    story.is_rejected(story.block("b2", story.genesis, [one, zero]), "bad-tx-sequence")
    story.grow("b3", story.genesis, [zero, one, two])
    story.account(ALICE, ALICE_FUNDS - 3, 3)


@ledger_case()
def transfer_twice_in_a_block(story: Story) -> None:
    """
    genesis -> b1       the same transfer twice (not as merkle neighbours): bad-tx-sequence
    """
    pay = story.pay(ALICE, 0, BOB, 1)
    story.is_rejected(story.block("b1", story.genesis, [pay, pay]), "bad-tx-sequence")


@ledger_case()
def replay_on_the_same_chain(story: Story) -> None:
    """
    genesis -> b1 -> b2         the transfer of b1 again: bad-tx-sequence
                  -> b3         and by its next sequence, but without funds: bad-tx-balance
                  -> b4*
    """
    pay = story.pay(BOB, 0, ALICE, BOB_FUNDS)
    b1 = story.grow("b1", story.genesis, [pay])
    story.is_rejected(story.block("b2", b1, [pay]), "bad-tx-sequence")
    story.is_rejected(story.block("b3", b1, [story.pay(BOB, 1, ALICE, BOB_FUNDS)]), "bad-tx-balance")
    story.grow("b4", b1)


@ledger_case()
def to_oneself(story: Story) -> None:
    """
    genesis -> b1       more than one has: bad-tx-balance, though it would come back
            -> b2*      all of it but the fee: only the fee moves
    """
    story.is_rejected(story.block("b1", story.genesis, [story.pay(BOB, 0, BOB, BOB_FUNDS + 1)]), "bad-tx-balance")
    story.grow("b2", story.genesis, [story.pay(BOB, 0, BOB, BOB_FUNDS - 3, 3)])
    story.account(BOB, BOB_FUNDS - 3, 1)


@ledger_case()
def nothing_from_an_absent_account(story: Story) -> None:
    """
    genesis -> b1*      amount 0, fee 0, and a memo: anchoring needs no funds by consensus, and the sequence moves on
            -> b2       a fee of 1: bad-tx-balance
    """
    story.is_rejected(story.block("b2", story.genesis, [story.pay(CAROL, 0, BOB, 0, 1)]), "bad-tx-balance")
    b1 = story.grow("b1", story.genesis, [story.pay(CAROL, 0, BOB, 0, memo=b"digest")])
    story.account(CAROL, 0, 1)
    story.grow("b3", b1, [story.pay(CAROL, 1, CAROL, 0)])
    story.account(CAROL, 0, 2)


@ledger_case(replace(NETWORK, halving_interval=0, initial_subsidy=0, allocations=((ALICE.key, 2**63 - 1),)))
def greatest_supply(story: Story) -> None:
    """
    genesis -> b1 -> b2*        2^63 - 1 units go from alice to bob and, as a fee, to the miner
    """
    everything = 2**63 - 1
    b1 = story.grow("b1", story.genesis, [story.pay(ALICE, 0, BOB, everything)])
    story.account(BOB, everything, 0)
    story.grow("b2", b1, [story.pay(BOB, 0, ALICE, 0, everything)], claim=everything)
    story.account(BOB, 0, 1)


@ledger_case()
def state_error_leaves_no_trace(story: Story) -> None:
    """
    genesis -> b1       two good transfers, then one too many: bad-tx-balance, and none of them happened
            -> b2*
    """
    pays = [story.pay(ALICE, 0, BOB, 5), story.pay(ALICE, 1, CAROL, 5), story.pay(CAROL, 0, BOB, 6)]
    b1 = story.block("b1", story.genesis, pays)
    story.is_rejected(b1, "bad-tx-balance")
    story.account(ALICE, ALICE_FUNDS, 0)
    story.account(CAROL, 0, 0)
    story.is_rejected(story.block("b3", b1), "bad-prevblk")
    story.grow("b2", story.genesis, pays[:2])
