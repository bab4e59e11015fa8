"""Files as users write them: a retarget rule and a fork choice, and a network that names the rule."""

from __future__ import annotations

from pathlib import Path

from tests.support.network import EASY_BITS, Network

NAME = "steady-v1"
SOURCE = f'''"""The difficulty halves once, after the third block."""

from pychain.chain.target import bits_from_target, target_from_bits
from pychain.consensus.fork_choice import ForkChoiceRule
from pychain.consensus.retarget import RetargetRule


class Steady(RetargetRule):
    name = "{NAME}"

    def next_bits(self, spec, branch):
        if branch.height < 3:
            return spec.genesis_bits
        return bits_from_target(target_from_bits(spec.genesis_bits) // 2)


class Sprinter(ForkChoiceRule):
    name = "sprinter-v1"

    def weight(self, spec, chain_work, height):
        return height
'''
NETWORK = Network(name="steady", retarget=NAME, spacing_s=1)
LATER_BITS = f"{EASY_BITS - 0x400000:08x}"
"""Half the target."""


def write_rules(folder: Path) -> Path:
    """The file with the rules."""
    path = folder / "rules.py"
    path.write_text(SOURCE)
    return path


def write_network(folder: Path) -> Path:
    """The chain spec of a network under the rule."""
    path = folder / "steady.toml"
    path.write_text(NETWORK.toml())
    return path
