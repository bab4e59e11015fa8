"""How much work a call does, counted and not timed: every call that it makes in turn, of Python and of C functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def operations_of(call: Callable[[], object]) -> int:
    """Calls made while `call` runs."""
    count = 0

    def observe(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(observe)
    try:
        call()
    finally:
        sys.setprofile(before)
    return count
