"""The operator's hand: `invalidateblock` and `reconsiderblock`, as in Bitcoin Core."""

from __future__ import annotations

from functools import partial

from tests.consensus.chainspec.limits import ALICE, BOB, BOB_FUNDS, SUBSIDY
from tests.consensus.chainspec.story import Case, Story, case

CASES: list[Case] = []
operator_case = partial(case, into=CASES)


@operator_case()
def tip_invalidated_and_reconsidered(story: Story) -> None:
    """
    genesis -> b1 -> b2*        invalidate b2: b1 is the tip; reconsider b2: b2 again
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.grow("b2", b1, [story.pay(ALICE, 0, BOB, 7)])
    story.invalidate(b2, tip=b1)
    story.account(BOB, BOB_FUNDS, 0)
    story.reconsider(b2, tip=b2)
    story.account(BOB, BOB_FUNDS + 7, 0)


@operator_case()
def everything_invalidated(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3*      invalidate b1: genesis is the tip; reconsider b1: b3 again
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.grow("b2", b1)
    b3 = story.grow("b3", b2)
    story.invalidate(b1, tip=story.genesis)
    story.reconsider(b1, tip=b3)


@operator_case()
def branch_takes_over(story: Story) -> None:
    """
    genesis -> a1 -> a2 -> a3*      invalidate a2: the other branch leads; reconsider a2: a3 again
            -> b1 -> b2
    """
    a1 = story.grow("a1", story.genesis)
    a2 = story.grow("a2", a1)
    a3 = story.grow("a3", a2)
    b1 = story.branch("b1", story.genesis)
    b2 = story.branch("b2", b1)
    story.invalidate(a2, tip=b2)
    story.reconsider(a2, tip=a3)


@operator_case()
def losing_branch_invalidated(story: Story) -> None:
    """
    genesis -> a1*
            -> b1 -> b2     b1 invalidated while it loses: b2 is bad-prevblk; reconsidered, b2 wins
    """
    a1 = story.grow("a1", story.genesis)
    b1 = story.branch("b1", story.genesis)
    story.invalidate(b1, tip=a1)
    b2 = story.block("b2", b1)
    story.is_rejected(b2, "bad-prevblk")
    story.reconsider(b1, tip=a1)
    story.becomes_tip(b2)


@operator_case()
def child_of_the_invalidated(story: Story) -> None:
    """
    genesis -> b1 -> b2         b1 invalidated: b2 is bad-prevblk
            -> c1*              other children of genesis are welcome
    """
    b1 = story.grow("b1", story.genesis)
    story.invalidate(b1, tip=story.genesis)
    story.is_rejected(story.block("b2", b1), "bad-prevblk")
    story.grow("c1", story.genesis)


@operator_case()
def reconsidering_a_descendant(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3*      invalidate b2, reconsider b3: the judgement on its ancestor is forgotten too
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.grow("b2", b1)
    b3 = story.grow("b3", b2)
    story.invalidate(b2, tip=b1)
    story.reconsider(b3, tip=b3)


@operator_case()
def two_judgements_in_a_row(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3*      invalidate b3, then b2; reconsidering b2 clears both
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.grow("b2", b1)
    b3 = story.grow("b3", b2)
    story.invalidate(b3, tip=b2)
    story.invalidate(b2, tip=b1)
    story.reconsider(b2, tip=b3)


@operator_case()
def reconsidering_does_not_make_valid(story: Story) -> None:
    """
    genesis -> b1* -> b2 (claims too much)      bad-cb-amount, and again after it was reconsidered
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.block("b2", b1, claim=SUBSIDY + 1)
    story.is_rejected(b2, "bad-cb-amount")
    story.reconsider(b2, tip=b1)
    story.is_rejected(b2, "bad-cb-amount")


@operator_case()
def reconsidering_does_not_verify(story: Story) -> None:
    """
    genesis -> b1* -> b2 (signed by nobody)     bad-tx-signature, also after it was reconsidered
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.block("b2", b1, [story.pay(ALICE, 0, BOB, 1)[:-64] + bytes(64)])
    story.is_rejected(b2, "bad-tx-signature")
    story.reconsider(b2, tip=b1)
    story.is_rejected(b2, "bad-tx-signature")


@operator_case()
def growing_while_invalidated(story: Story) -> None:
    """
    genesis -> a1 -> a2 -> a3 -> a4*    a1 invalidated; c1 and c2 grow; a1 reconsidered: a3 is heavier, and continues
            -> c1 -> c2
    """
    a1 = story.grow("a1", story.genesis)
    a2 = story.grow("a2", a1)
    a3 = story.grow("a3", a2)
    story.invalidate(a1, tip=story.genesis)
    c1 = story.grow("c1", story.genesis)
    story.grow("c2", c1)
    story.reconsider(a1, tip=a3)
    story.grow("a4", a3)
