"""The node against the specification: random trees of valid and invalid blocks, invalidations, and a moving clock."""

from __future__ import annotations

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.specification.chain import OPERATOR
from tests.support.faults import FUNDS, PEOPLE, Grown, World, grown, root
from tests.support.network import GENESIS_TIME, Network
from tests.support.twin import Twin

CLOCK = GENESIS_TIME + 1000
PLACES = [0] * 9 + [1, 2]
"""Which of the waiting blocks comes next."""
RULES: dict[str, dict[str, int]] = {"fixed": {}, "asert": {}, "bitcoin": {"window": 3}, "lwma": {"window": 3}}
READABLE = (Phase.explicit, Phase.reuse, Phase.generate)
"""Failures are not shrunk: that takes minutes, and a run is short enough to read."""


@st.composite
def networks(draw: st.DrawFn) -> Network:
    retarget = draw(st.sampled_from(sorted(RULES)))
    return Network(
        retarget=retarget,
        retarget_params=RULES[retarget],
        fork_choice=draw(st.sampled_from(["most-work", "longest"])),
        half_life_s=60,
        max_future_s=60,
        start_time=GENESIS_TIME + 5,
        genesis_bits=0x203FFFFF,
        initial_subsidy=50,
        halving_interval=3,
        maturity=draw(st.integers(0, 3)),
        allocations=tuple((person.key, FUNDS) for person in PEOPLE[:2]),
    )


@settings(max_examples=40, phases=READABLE)
@given(networks(), st.data())
def test_any_story(network: Network, data: st.DataObject) -> None:
    """Blocks come in nearly the order in which they were made, some of them again and again."""
    twin = Twin(network.toml(), CLOCK)
    world, made = World(network, CLOCK), [root(network)]
    for number in range(data.draw(st.integers(1, 14))):
        made.append(data.draw(grown(world, made, number)))
    clock = CLOCK
    queue = made[1:]
    while queue:
        block = queue.pop(min(data.draw(st.sampled_from(PLACES)), len(queue) - 1))
        act = data.draw(st.sampled_from(["submit"] * 9 + ["again", "invalidate", "reconsider", "wait"]))
        if act == "wait":
            clock += data.draw(st.integers(1, 90))
            twin.set_clock(clock)
        elif act in ("invalidate", "reconsider"):
            _operate(twin, act, data.draw(st.sampled_from(made[1:])))
        _submit(twin, block, block.raw)
        if act == "again" or block.raw != block.block.raw:
            _submit(twin, block, block.block.raw)


def _submit(twin: Twin, block: Grown, raw: bytes) -> None:
    """Unless the operator has invalidated it: no rule has a code for that."""
    known = twin.reference.specification.nodes.get(block.block.hash)
    if known is None or known.failure != OPERATOR:
        twin.submit(raw)


def _operate(twin: Twin, act: str, block: Grown) -> None:
    if block.block.hash in twin.reference.specification.nodes:
        twin.invalidate(block.block.hash) if act == "invalidate" else twin.reconsider(block.block.hash)
