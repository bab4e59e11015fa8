"""Share difficulties and the targets behind them, exactly: difficulties are floats, targets 256-bit integers.

Two targets of difficulty 1 are in use: 0xFFFF * 2^208, Bitcoin's easiest target, and 2^224, which some miners round it
to. A searcher uses the smaller one and a checker the larger, so that no honest share is ever rejected.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeGuard

from pychain.chain.target import DIFFICULTY_1_TARGET, MAX_TARGET

MIN_DIFFICULTY = 2.0**-32
"""Every hash is a share."""
MAX_DIFFICULTY = 2.0**64
"""A share would take 2^96 hashes: more than anybody can do."""
HASHES_PER_DIFFICULTY = 2**32
"""Expected hashes of a share of difficulty 1, to four digits for either target."""


def searched_target(difficulty: float) -> int:
    """The highest hash that is a share by both targets of difficulty 1."""
    return _scaled(DIFFICULTY_1_TARGET, difficulty)


def accepted_target(difficulty: float) -> int:
    """The highest hash that is accepted as a share."""
    return _scaled(2**224, difficulty)


def _scaled(target_of_1: int, difficulty: float) -> int:
    return min(int(target_of_1 / Fraction(difficulty)), MAX_TARGET)


def difficulty_of(target: int) -> float:
    """The greatest difficulty whose searched target is at least this one: no solution is missed."""
    difficulty = float(Fraction(DIFFICULTY_1_TARGET, target))
    while searched_target(difficulty) < target:
        difficulty = math.nextafter(difficulty, 0.0)
    return difficulty


def is_difficulty(value: object) -> TypeGuard[float]:
    """Whether a value from a message is a usable difficulty."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return MIN_DIFFICULTY <= value <= MAX_DIFFICULTY
