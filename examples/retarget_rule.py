"""A retarget rule of one's own, beside a built-in one while the hash rate jumps fivefold and falls back.

The class is all that it takes. The same file works for commands and nodes: `pychain sim run hashrate --retarget
examples/retarget_rule.py`, or `pychain node --network mine.toml --plugin examples/retarget_rule.py` if the chain spec
names the rule wtema-v1.

    asert: near the right difficulty after ... blocks up, ... blocks down
    wtema-v1: near the right difficulty after ... blocks up, ... blocks down
"""

from __future__ import annotations

from types import MappingProxyType

from pychain.base.registry import Plugin
from pychain.chain.spec import ChainSpec
from pychain.chain.target import bits_from_target, target_from_bits
from pychain.consensus.branch import Branch
from pychain.consensus.retarget import RetargetRule
from pychain.sim.play import play
from pychain.sim.scenarios import SCENARIOS

WINDOW = 10


class Wtema(RetargetRule):
    """A weighted moving average: each block moves the target by a share of how far its solve time was off."""

    name = "wtema-v1"
    parameters = MappingProxyType({"window": 2})

    def next_bits(self, spec: ChainSpec, branch: Branch) -> int:
        if branch.height == 0:
            return spec.genesis_bits
        tip, previous = branch.header(branch.height), branch.header(branch.height - 1)
        span = spec.retarget_params.get("window", WINDOW) * spec.spacing_s
        solve_time = max(0, min(tip.time - previous.time, 6 * spec.spacing_s))
        target = target_from_bits(tip.bits) * (span + solve_time - spec.spacing_s) // span
        return bits_from_target(max(1, min(target, spec.pow_limit)))


def main() -> None:
    hashrate, plugins = SCENARIOS.named("hashrate"), [Plugin(Wtema)]
    for rule in ("asert", Wtema.name):
        given = {"retarget": rule, "blocks": 120, "window": WINDOW, "nodes": 1}
        report = play(hashrate, seed=1, given=given, plugins=plugins).report
        assert report.failures == [], report.failures
        up, down = report.figures.up_blocks, report.figures.down_blocks
        print(f"{rule}: near the right difficulty after {up} blocks up, {down} blocks down")


if __name__ == "__main__":
    main()
