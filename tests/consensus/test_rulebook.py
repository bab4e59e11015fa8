"""Rules by name: built in, unknown, and from other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from pychain.base.errors import ConfigError
from pychain.chain.spec import ChainSpec
from pychain.consensus.branch import Branch
from pychain.consensus.rulebook import Rulebook
from tests.support.branches import timed_branch
from tests.support.builder import spec_of
from tests.support.network import Network


def double_bits(spec: ChainSpec, branch: Branch) -> int:
    """A retarget rule of another package."""
    return spec.retarget_params["base"] + branch.height


def shortest(chain_work: int, height: int) -> int:
    """A fork-choice rule of another package, and a bad idea."""
    return -height


@pytest.fixture
def plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two entry points as an installed package would declare them."""

    def entry_points(group: str) -> list[EntryPoint]:
        names = {"pychain.retarget": ("double-v1", "double_bits"), "pychain.fork_choice": ("shortest-v1", "shortest")}
        name, function = names[group]
        return [EntryPoint(name, f"{__name__}:{function}", group)]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)


def test_fork_choice_weights() -> None:
    assert Rulebook(spec_of(Network())).weight(1000, 7) == 1000
    assert Rulebook(spec_of(Network(fork_choice="longest"))).weight(1000, 7) == 7


@pytest.mark.usefixtures("plug_ins")
def test_rules_of_other_packages() -> None:
    network = Network(retarget="double-v1", retarget_params={"base": 500}, fork_choice="shortest-v1")
    rulebook = Rulebook(spec_of(network))
    assert rulebook.next_bits(timed_branch([1, 2, 3], 0)) == 502
    assert rulebook.weight(1000, 7) == -7


@pytest.mark.usefixtures("plug_ins")
def test_unknown_rules_name_those_there_are() -> None:
    with pytest.raises(
        ConfigError, match="retarget rule 'dgw' is unknown; there are asert, fixed, bitcoin, lwma, double-v1"
    ):
        Rulebook(spec_of(Network(retarget="dgw")))
    with pytest.raises(
        ConfigError, match="fork_choice rule 'ghost' is unknown; there are most-work, longest, shortest-v1"
    ):
        Rulebook(spec_of(Network(fork_choice="ghost")))


@pytest.mark.parametrize("rule", ["most-work", "longest"])
def test_fork_choice_takes_no_parameters(rule: str) -> None:
    with pytest.raises(ConfigError, match=f"fork_choice rule '{rule}' takes no parameter 'depth'"):
        Rulebook(spec_of(Network(fork_choice=rule, fork_choice_params={"depth": 6})))
