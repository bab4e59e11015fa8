"""Playing a scenario: one run from a seed and parameters to a report and the marks of its trace."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import asdict

from pychain import __version__
from pychain.base.errors import ConfigError
from pychain.base.text import printable
from pychain.base.time import NS
from pychain.sim.chronicle import Figures, Tell
from pychain.sim.events import Mark
from pychain.sim.scenario import Parameters, Scenario
from pychain.sim.stage import Stage

MAX_SEED = 2**63 - 1
Value = int | float | str


class Report(Struct, kw_only=True):
    """What a run came to. failures: a line for all that did not hold; figures: None where the run broke off. The rest
    says which run it was, how long in virtual time, and what happened in it as one digest."""

    scenario: str
    seed: int
    parameters: dict[str, Value]
    version: str
    failures: list[str]
    virtual_s: float
    events: int
    digest: str
    figures: Figures | None


class Run(NamedTuple):
    """A run that has ended."""

    report: Report
    marks: list[Mark]


def play(
    scenario: Scenario[Any], seed: int, given: Mapping[str, Value], tell: Tell = lambda now_ns, height, goal: None
) -> Run:
    """Play a scenario to its end. Never raises for what happens in it: that is a failure of the run."""
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed {seed} is not in 0 to 2^63 - 1")
    parameters = scenario.read(given)
    stage = Stage(seed, tell)
    figures = None
    try:
        figures = scenario.play(stage, parameters)
    except ConfigError:
        raise
    except Exception as error:  # a bug of a node is what the simulator is there to find: told with the seed
        stage.fail(_told(error))
    world = stage.world
    return Run(
        Report(
            scenario=scenario.name,
            seed=seed,
            parameters=values(parameters),
            version=__version__,
            failures=stage.failures,
            virtual_s=round(world.heap.now_ns / NS, 3),
            events=world.trace.events,
            digest=world.trace.hexdigest(),
            figures=figures,
        ),
        world.trace.marks,
    )


def values(parameters: Parameters) -> dict[str, Value]:
    """Parameters by name."""
    return asdict(parameters)


def _told(error: Exception) -> str:
    """One line: what was raised, and where."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    _, package, path = place.filename.rpartition("/pychain/")
    file = path if package else path.rpartition("/")[2]
    return printable(f"{type(error).__name__} in {file}:{place.lineno}: {str(error).partition(chr(10))[0]}")
