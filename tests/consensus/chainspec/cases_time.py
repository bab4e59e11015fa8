"""Level 3: time and bits. What a header must be after the headers before it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tests.consensus.chainspec.limits import (
    ALICE,
    BOB,
    CLOCK,
    MAX_FUTURE_S,
    MEDIAN_SPAN,
    NETWORK,
    SPACING_S,
    START_TIME,
)
from tests.consensus.chainspec.story import Case, Story, case
from tests.support.network import EASY_BITS, GENESIS_TIME

CASES: list[Case] = []
time_case = partial(case, into=CASES)

FROM_GENESIS = replace(NETWORK, start_time=GENESIS_TIME)
BITCOIN = replace(FROM_GENESIS, retarget="bitcoin", retarget_params={"window": 4})
ASERT = replace(FROM_GENESIS, retarget="asert", genesis_bits=0x203FFFFF, spacing_s=20, half_life_s=10, max_future_s=10)
LWMA = replace(FROM_GENESIS, retarget="lwma", retarget_params={"window": 3})


@time_case()
def first_block_at_the_start(story: Story) -> None:
    """
    genesis -> b1       one second before start_time: time-before-start
            -> b2*      at start_time
    """
    story.is_rejected(story.block("b1", story.genesis, time=START_TIME - 1), "time-before-start")
    story.grow("b2", story.genesis, time=START_TIME)


@time_case()
def start_binds_the_first_block_alone(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3*      median of (genesis, b1) is b1; b2 and b3 only pass their medians
    """
    b1 = story.grow("b1", story.genesis, time=START_TIME + 5)
    b2 = story.grow("b2", b1, time=START_TIME + 6)
    story.grow("b3", b2, time=START_TIME + 6)


@time_case(FROM_GENESIS)
def median_of_one(story: Story) -> None:
    """
    genesis -> b1       genesis' own time: time-too-old
            -> b2*      one second later
    """
    story.is_rejected(story.block("b1", story.genesis, time=GENESIS_TIME), "time-too-old")
    story.grow("b2", story.genesis, time=GENESIS_TIME + 1)


@time_case(FROM_GENESIS)
def median_of_two_is_the_later(story: Story) -> None:
    """
    genesis -> b1 -> b2     b1's time: time-too-old, since element 2 // 2 of the two is the later one
                  -> b3*    one second later
    """
    b1 = story.grow("b1", story.genesis, time=GENESIS_TIME + 100)
    story.is_rejected(story.block("b2", b1, time=GENESIS_TIME + 100), "time-too-old")
    story.grow("b3", b1, time=GENESIS_TIME + 101)


@time_case(FROM_GENESIS)
def median_of_three(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3       b1's time, the middle one: time-too-old
                        -> b4*      before its parent, but after the median
    """
    b1 = story.grow("b1", story.genesis, time=GENESIS_TIME + 10)
    b2 = story.grow("b2", b1, time=GENESIS_TIME + 1000)
    story.is_rejected(story.block("b3", b2, time=GENESIS_TIME + 10), "time-too-old")
    story.grow("b4", b2, time=GENESIS_TIME + 11)


@time_case(FROM_GENESIS)
def median_of_eleven(story: Story) -> None:
    """
    genesis -> b1 -> ... -> b12 -> old      b7's time, sixth of the last eleven: time-too-old
                                -> late*    one second after it, though five later headers stand before
    """
    tip = story.genesis
    for number in range(1, MEDIAN_SPAN + 2):
        tip = story.grow(f"b{number}", tip, time=GENESIS_TIME + 100 * number)
    story.is_rejected(story.block("old", tip, time=GENESIS_TIME + 700), "time-too-old")
    story.grow("late", tip, time=GENESIS_TIME + 701)


@time_case(FROM_GENESIS)
def median_forgets_the_twelfth(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> B3 -> b4 -> ... -> b14 -> old        b9's time, sixth of b4..b14: time-too-old
                                                  -> late*      one second after it
    B3 is far ahead. Were it still counted, as the twelfth, the middle would be b10.
    """
    tip = story.genesis
    for number in range(1, MEDIAN_SPAN + 4):
        ahead = 9000 if number == 3 else 100 * number
        tip = story.grow(f"b{number}", tip, time=GENESIS_TIME + ahead)
    story.is_rejected(story.block("old", tip, time=GENESIS_TIME + 900), "time-too-old")
    story.grow("late", tip, time=GENESIS_TIME + 901)


@time_case()
def too_old_for_good(story: Story) -> None:
    """
    genesis -> b1 -> b2         time-too-old
                       -> b3    its parent was never taken in
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.block("b2", b1, time=b1.time)
    story.is_rejected(b2, "time-too-old")
    story.stays_out(story.block("b3", b2, time=b1.time + 1), "bad-prevblk")


@time_case()
def too_far_ahead(story: Story) -> None:
    """
    genesis -> b1*      max_future_s ahead of the clock
            -> b2       one second further: time-too-new, which is no verdict for good
    """
    b2 = story.block("b2", story.genesis, time=CLOCK + MAX_FUTURE_S + 1)
    story.is_pending(b2, "time-too-new")
    story.grow("b1", story.genesis, time=CLOCK + MAX_FUTURE_S)


@time_case()
def too_early_and_later_accepted(story: Story) -> None:
    """
    genesis -> b1 -> b2*        b1 one second too early, then the clock moves by one
    """
    b1 = story.block("b1", story.genesis, time=CLOCK + MAX_FUTURE_S + 1)
    b2 = story.block("b2", b1, time=CLOCK + MAX_FUTURE_S + 2)
    story.is_pending(b1, "time-too-new")
    story.is_pending(b1, "time-too-new")
    story.is_pending(b2, "prev-blk-not-found")
    story.clock(CLOCK + 1)
    story.becomes_tip(b1)
    story.is_pending(b2, "time-too-new")
    story.clock(CLOCK + 2)
    story.becomes_tip(b2)


@time_case()
def too_early_and_wrong(story: Story) -> None:
    """
    genesis -> b1       too early, and signed by nobody: no matter what is seen first, in the end bad-tx-signature
    """
    unsigned = story.pay(ALICE, 0, BOB, 1)[:-64] + bytes(64)
    b1 = story.block("b1", story.genesis, [unsigned], time=CLOCK + MAX_FUTURE_S + 1)
    story.stays_out(b1, "bad-tx-signature", pending_as="time-too-new")
    story.clock(CLOCK + 1)
    story.is_rejected(b1, "bad-tx-signature")


@time_case()
def clock_behind_the_chain(story: Story) -> None:
    """
    genesis -> b1 -> b2*        the clock falls back by a day: b1 stays, b2 is too new until it is right again
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.block("b2", b1)
    story.clock(START_TIME - 86_400)
    story.is_pending(b2, "time-too-new")
    story.clock(CLOCK)
    story.becomes_tip(b2)


@time_case()
def bits_of_another_difficulty(story: Story) -> None:
    """
    genesis -> b1, b2       under `fixed`: harder and easier than genesis, bad-diffbits
                  -> b3     its parent was never taken in
    """
    b1 = story.block("b1", story.genesis, bits=0x203FFFFF)
    story.is_rejected(b1, "bad-diffbits")
    story.is_rejected(story.block("b2", story.genesis, bits=EASY_BITS - 1), "bad-diffbits")
    story.stays_out(story.block("b3", b1, bits=EASY_BITS), "bad-prevblk")


@time_case(replace(NETWORK, genesis_bits=0x207FFF00))
def bits_in_another_form(story: Story) -> None:
    """
    genesis -> b1       0x21007fff, the very target of 0x207fff00 in another encoding: bad-diffbits
            -> b2*      0x207fff00
    """
    story.is_rejected(story.block("b1", story.genesis, bits=0x21007FFF), "bad-diffbits")
    story.grow("b2", story.genesis)


@time_case(BITCOIN)
def bitcoin_window(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3 -> b4         bits as before: bad-diffbits
                              -> b5*        the first window took 3 of 40 s: a fourth of the target, at most fourfold
                                  -> b6     keeps them
                                  -> b7     genesis' bits: bad-diffbits
    """
    tip = story.genesis
    for number in range(1, 4):
        tip = story.grow(f"b{number}", tip, time=GENESIS_TIME + number)
    story.is_rejected(story.block("b4", tip), "bad-diffbits")
    b5 = story.grow("b5", tip, bits=0x201FFFFF)
    story.is_rejected(story.block("b7", b5, bits=EASY_BITS), "bad-diffbits")
    story.grow("b6", b5)


@time_case(BITCOIN)
def bitcoin_counts_one_interval_too_few(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3 -> b4*        blocks on the dot: 3 intervals measured against 4, target * 30 / 40
    """
    tip = story.genesis
    for number in range(1, 4):
        tip = story.grow(f"b{number}", tip)
    story.grow("b4", tip, bits=0x205FFFFF)


@time_case(ASERT)
def asert_half_life_early(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3       bits as before: bad-diffbits
                        -> b4*      b2 came a half-life early: half the target
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.grow("b2", b1, time=b1.time + 10)
    story.is_rejected(story.block("b3", b2), "bad-diffbits")
    story.grow("b4", b2, bits=0x201FFFFF)


@time_case(ASERT)
def asert_half_life_late(story: Story) -> None:
    """
    genesis -> b1 -> b2 -> b3*      b2 came a half-life late: twice the target; b3 two more late: pow_limit
                           -> b4*
    """
    b1 = story.grow("b1", story.genesis)
    b2 = story.grow("b2", b1, time=b1.time + 30)
    b3 = story.grow("b3", b2, time=b2.time + 40, bits=0x207FFFFE)
    story.grow("b4", b3, bits=0x207FFFFF)


@time_case(ASERT)
def asert_starts_any_time(story: Story) -> None:
    """
    genesis -> b1 -> b2*        b1 comes 80,000 s after genesis, and owes nothing: b1 is the anchor
    """
    b1 = story.grow("b1", story.genesis, time=GENESIS_TIME + 80_000)
    b2 = story.grow("b2", b1, bits=0x203FFFFF)
    story.is_rejected(story.block("b3", b2, bits=EASY_BITS), "bad-diffbits")


@time_case(LWMA)
def lwma_after_its_window(story: Story) -> None:
    """
    genesis -> b1 -> .. -> b4 -> b5         genesis' bits up to b4
                              -> b6*        solve times 5, 5, 5 of 10 s: half the target, weighted or not
    """
    tip = story.grow("b1", story.genesis)
    for number in range(2, 5):
        tip = story.grow(f"b{number}", tip, time=tip.time + SPACING_S // 2)
    story.is_rejected(story.block("b5", tip), "bad-diffbits")
    story.grow("b6", tip, bits=0x203FFFFF)


@time_case(ASERT)
def first_block_has_genesis_bits_under_asert(story: Story) -> None:
    """
    genesis -> b1       any other bits: bad-diffbits
            -> b2*
    """
    story.is_rejected(story.block("b1", story.genesis, bits=EASY_BITS), "bad-diffbits")
    story.grow("b2", story.genesis)


@time_case(replace(BITCOIN, retarget_params={"window": 2}))
def first_block_has_genesis_bits_under_bitcoin(story: Story) -> None:
    """
    genesis -> b1       any other bits: bad-diffbits
            -> b2*      with the shortest window, too
    """
    story.is_rejected(story.block("b1", story.genesis, bits=0x203FFFFF), "bad-diffbits")
    story.grow("b2", story.genesis)
