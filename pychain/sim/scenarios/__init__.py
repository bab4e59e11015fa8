"""The scenarios, by name. Packages add more through the entry point group `pychain.scenarios`, users through files."""

from __future__ import annotations

from typing import Any

from pychain.base.registry import Registry
from pychain.sim.scenario import Scenario
from pychain.sim.scenarios.attack import ATTACK
from pychain.sim.scenarios.churn import CHURN
from pychain.sim.scenarios.hashrate import HASHRATE
from pychain.sim.scenarios.latency import LATENCY
from pychain.sim.scenarios.partition import PARTITION
from pychain.sim.scenarios.race import RACE
from pychain.sim.scenarios.selfish import SELFISH

SCENARIOS: Registry[Scenario[Any]] = Registry(
    "scenario", "pychain.scenarios", Scenario, (RACE, PARTITION, CHURN, LATENCY, HASHRATE, SELFISH, ATTACK)
)
