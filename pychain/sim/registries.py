"""The registries of all plug-ins that a simulation can load from files."""

from __future__ import annotations

from typing import Any

from pychain.base.registry import Registry
from pychain.consensus.fork_choice import FORK_CHOICE_RULES
from pychain.consensus.retarget import RETARGET_RULES
from pychain.sim.participants import PARTICIPANTS
from pychain.sim.scenarios import SCENARIOS

REGISTRIES: tuple[Registry[Any], ...] = (SCENARIOS, RETARGET_RULES, FORK_CHOICE_RULES, PARTICIPANTS)
