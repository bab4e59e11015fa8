"""Fork-choice rules by name: which of several valid chains a node follows. The first seen wins a tie.

Built in are `most-work` and `longest` (for teaching and comparison). Packages add more through the entry point group
`pychain.fork_choice`, users through files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pychain.base.registry import Registry
from pychain.chain.spec import ChainSpec


class ForkChoiceRule(ABC):
    """A fork-choice rule; derive a class from this to write one. `name` and `parameters` are as in a retarget rule."""

    name: ClassVar[str]
    parameters: ClassVar[Mapping[str, int]] = MappingProxyType({})

    @abstractmethod
    def weight(self, spec: ChainSpec, chain_work: int, height: int) -> int:
        """The weight of a chain, from its total work and its height; the heaviest chain is followed.

        A child must weigh more than its parent, or nodes would not follow a growing chain.
        """

    def check(self, spec: ChainSpec) -> None:
        """ConfigError if the rule cannot work under this spec. Its parameters are within their bounds."""
        return


class MostWork(ForkChoiceRule):
    """The most work, as in Bitcoin."""

    name = "most-work"

    def weight(self, spec: ChainSpec, chain_work: int, height: int) -> int:
        return chain_work


class Longest(ForkChoiceRule):
    """The most blocks, whatever their difficulty."""

    name = "longest"

    def weight(self, spec: ChainSpec, chain_work: int, height: int) -> int:
        return height


FORK_CHOICE_RULES: Registry[ForkChoiceRule] = Registry(
    "fork_choice rule", "pychain.fork_choice", ForkChoiceRule, (MostWork(), Longest())
)
