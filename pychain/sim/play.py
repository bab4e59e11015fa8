"""Plays a scenario: one run from a seed and parameters to a report and the marks of its trace."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import asdict

from pychain import __version__
from pychain.base.errors import ConfigError
from pychain.base.registry import Origin, Plugin
from pychain.base.text import printable
from pychain.base.time import NS
from pychain.sim.chronicle import Figures, Progress
from pychain.sim.events import Mark, Trace
from pychain.sim.scenario import Parameters, Scenario
from pychain.sim.stage import Stage

MAX_SEED = 2**63 - 1
Value = int | float | str


class Report(Struct, kw_only=True):
    """The result of a run. failures: a line for each violation; figures: None if the run was aborted. The rest
    identifies the run and its plug-ins, and has its virtual time and a digest of its events.
    """

    scenario: str
    seed: int
    parameters: dict[str, Value]
    plugins: list[Origin]
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
    scenario: Scenario[Any],
    seed: int,
    given: Mapping[str, Value],
    progress: Progress = lambda now_ns, height, goal: None,
    plugins: Iterable[Plugin] = (),
) -> Run:
    """Play a scenario to its end. Exceptions in it are not raised but reported as failures of the run. `plugins`: what
    parameters name and is neither built in nor installed."""
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed {seed} is not in 0 to 2^63 - 1")
    plugins = tuple(plugins)
    parameters = scenario.read(given, plugins)
    stage = Stage(seed, progress, plugins)
    figures = None
    try:
        returned = scenario.play(stage, parameters)
        figures = returned if isinstance(returned, Figures) else None
        if figures is None or not stage.is_open:
            stage.fail("the scenario opened no world" if figures else f"the scenario returned {returned!r}, no figures")
    except ConfigError:
        raise
    except Exception as error:  # finding bugs of nodes is the simulator's purpose: report them with the seed
        stage.fail(_told(error))
    virtual_ns, trace = (stage.world.heap.now_ns, stage.world.trace) if stage.is_open else (0, Trace())
    return Run(
        Report(
            scenario=scenario.name,
            seed=seed,
            parameters=values(parameters),
            plugins=[plugin.origin for plugin in plugins if plugin.origin is not None],
            version=__version__,
            failures=stage.failures,
            virtual_s=round(virtual_ns / NS, 3),
            events=trace.events,
            digest=trace.hexdigest(),
            figures=figures,
        ),
        trace.marks,
    )


def values(parameters: Parameters) -> dict[str, Value]:
    """Parameters by name."""
    return asdict(parameters)


def _told(error: Exception) -> str:
    """One line: the exception and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    _, package, path = place.filename.rpartition("/pychain/")
    file = path if package else path.rpartition("/")[2]
    return printable(f"{type(error).__name__} in {file}:{place.lineno}: {str(error).partition(chr(10))[0]}")
