"""The scenarios that come with the package, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pychain.base.errors import ConfigError
from pychain.sim.scenario import Scenario
from pychain.sim.scenarios.churn import CHURN
from pychain.sim.scenarios.hashrate import HASHRATE
from pychain.sim.scenarios.latency import LATENCY
from pychain.sim.scenarios.partition import PARTITION
from pychain.sim.scenarios.race import RACE
from pychain.sim.scenarios.selfish import SELFISH

SCENARIOS: Mapping[str, Scenario[Any]] = MappingProxyType(
    {scenario.name: scenario for scenario in (RACE, PARTITION, CHURN, LATENCY, HASHRATE, SELFISH)}
)


def scenario_named(name: str) -> Scenario[Any]:
    """The scenario of that name. ConfigError where there is none."""
    if name not in SCENARIOS:
        raise ConfigError(f"scenario '{name}' is unknown; there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
