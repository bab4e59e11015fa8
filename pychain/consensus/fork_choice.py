"""Fork-choice rules by name: which of several fully valid chains a node follows. The first seen wins a tie.

Built in are `most-work` and `longest` (for teaching and comparison). Packages add more through the entry point group
`pychain.fork_choice`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

Weight = Callable[[int, int], int]
"""(chain work, height) -> the weight of a chain; the heavier one is followed."""


def _most_work(chain_work: int, height: int) -> int:
    return chain_work


def _longest(chain_work: int, height: int) -> int:
    return height


BUILT_IN: Mapping[str, Weight] = MappingProxyType({"most-work": _most_work, "longest": _longest})
