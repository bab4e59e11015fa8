"""Rules by name: built in, unknown, and from other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import MappingProxyType

import pytest

from pychain.base.errors import ConfigError
from pychain.base.registry import Plugin
from pychain.chain.spec import ChainSpec
from pychain.consensus.branch import Branch
from pychain.consensus.fork_choice import ForkChoiceRule
from pychain.consensus.retarget import RetargetRule
from pychain.consensus.rulebook import Rulebook
from tests.support.branches import timed_branch
from tests.support.builder import spec_of
from tests.support.network import Network


class Double(RetargetRule):
    """A retarget rule of another package."""

    name = "double-v1"
    parameters = MappingProxyType({"base": 1})

    def next_bits(self, spec: ChainSpec, branch: Branch) -> int:
        return spec.retarget_params["base"] + branch.height

    def check(self, spec: ChainSpec) -> None:
        if "base" not in spec.retarget_params:
            raise ConfigError("double-v1 needs a base")


class Shortest(ForkChoiceRule):
    """A fork-choice rule of another package, deliberately bad."""

    name = "shortest-v1"

    def weight(self, spec: ChainSpec, chain_work: int, height: int) -> int:
        return -height


GIVEN = (Plugin(Double), Plugin(Shortest()))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two entry points as an installed package would declare them."""

    def entry_points(group: str) -> list[EntryPoint]:
        names = {"pychain.retarget": ("double-v1", "Double"), "pychain.fork_choice": ("shortest-v1", "Shortest")}
        name, rule = names[group]
        return [EntryPoint(name, f"{__name__}:{rule}", group)]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)


def test_fork_choice_weights() -> None:
    assert Rulebook(spec_of(Network())).weight(1000, 7) == 1000
    assert Rulebook(spec_of(Network(fork_choice="longest"))).weight(1000, 7) == 7


NETWORK = Network(retarget="double-v1", retarget_params={"base": 500}, fork_choice="shortest-v1")


def check_foreign_rules(rulebook: Rulebook) -> None:
    assert rulebook.next_bits(timed_branch([1, 2, 3], 0)) == 502
    assert rulebook.weight(1000, 7) == -7


@pytest.mark.usefixtures("installed")
def test_rules_of_other_packages() -> None:
    check_foreign_rules(Rulebook(spec_of(NETWORK)))


def test_rules_that_are_given() -> None:
    check_foreign_rules(Rulebook(spec_of(NETWORK), GIVEN))
    with pytest.raises(ConfigError, match=r"'double-v1' is unknown.*--plugin FILE\.py loads your own"):
        Rulebook(spec_of(NETWORK))


def test_genesis_commits_to_the_name_of_a_given_rule() -> None:
    assert b'"rule":"double-v1"' in spec_of(NETWORK).canonical()


@pytest.mark.usefixtures("installed")
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


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"bass": 500}, "chain spec 'story': retarget rule 'double-v1' takes no parameter 'bass'"),
        ({"base": 0}, "chain spec 'story': retarget parameter base must be at least 1"),
        ({}, "chain spec 'story': double-v1 needs a base"),
    ],
)
def test_parameters_of_a_given_rule_are_checked(parameters: dict[str, int], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Rulebook(spec_of(Network(retarget="double-v1", retarget_params=parameters)), GIVEN)
