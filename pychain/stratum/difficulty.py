"""Share difficulties and the targets behind them, exactly: difficulties are floats, targets 256-bit integers.

There are two readings of difficulty 1 about: 0xFFFF * 2^208, Bitcoin's easiest target, and 2^224, which some miners
round it to. Whoever searches takes the smaller one, whoever checks the larger, so neither ever refuses the other.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeGuard

from pychain.chain.target import DIFFICULTY_1_TARGET, MAX_TARGET

MIN_DIFFICULTY = 2.0**-32
"""Every hash is a share."""
MAX_DIFFICULTY = 2.0**64
"""A share would take 2^96 hashes: more than anybody has."""
HASHES_PER_DIFFICULTY = 2**32
"""Expected hashes of a share of difficulty 1, to four digits whichever reading it is."""


def searched_target(difficulty: float) -> int:
    """What a hash must not pass to be sure of being a share."""
    return _scaled(DIFFICULTY_1_TARGET, difficulty)


def accepted_target(difficulty: float) -> int:
    """What a hash must not pass to be taken as a share."""
    return _scaled(2**224, difficulty)


def _scaled(target_of_1: int, difficulty: float) -> int:
    return min(int(target_of_1 / Fraction(difficulty)), MAX_TARGET)


def difficulty_of(target: int) -> float:
    """The greatest difficulty whose searched target reaches this one: no solution of it is passed over."""
    difficulty = float(Fraction(DIFFICULTY_1_TARGET, target))
    while searched_target(difficulty) < target:
        difficulty = math.nextafter(difficulty, 0.0)
    return difficulty


def is_difficulty(value: object) -> TypeGuard[float]:
    """Whether a value out of a message is a difficulty that anybody could mine at."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return MIN_DIFFICULTY <= value <= MAX_DIFFICULTY
