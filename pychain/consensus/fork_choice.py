"""Fork-choice rules by name: which of several fully valid chains a node follows. The first seen wins a tie.

Built in are `most-work` and `longest` (for teaching and comparison). Packages add more through the entry point group
`pychain.fork_choice`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pychain.base.errors import ConfigError
from pychain.chain.spec import ChainSpec

Weight = Callable[[int, int], int]
"""(chain work, height) -> the weight of a chain; the heavier one is followed."""


def _most_work(chain_work: int, height: int) -> int:
    return chain_work


def _longest(chain_work: int, height: int) -> int:
    return height


BUILT_IN: Mapping[str, Weight] = MappingProxyType({"most-work": _most_work, "longest": _longest})


def check_parameters(spec: ChainSpec) -> None:
    """ConfigError where a built-in rule is given a parameter: none takes any."""
    if spec.fork_choice in BUILT_IN and spec.fork_choice_params:
        name = next(iter(spec.fork_choice_params))
        raise ConfigError(
            f"chain spec '{spec.name}': fork_choice rule '{spec.fork_choice}' takes no parameter '{name}'"
        )
