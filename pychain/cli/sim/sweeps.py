"""Sweeps: one scenario under many seeds and parameters, over several processes, and what came of it."""

from __future__ import annotations

import csv
import itertools
import math
import os
import signal
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import asdict

from pychain.base.registry import Origin
from pychain.cli.sim.choice import Choice
from pychain.cli.sim.runs import RunFailedError, assignments, repeated
from pychain.plugins import load_again
from pychain.sim.play import Report, Value, play, values
from pychain.sim.registries import REGISTRIES
from pychain.sim.scenarios import SCENARIOS

MAX_RUNS = 100_000
"""Their reports are held until the end."""


class Cell(Struct, frozen=True):
    """One run to be done."""

    scenario: str
    seed: int
    parameters: dict[str, Value]
    plugins: tuple[Origin, ...]


class Measure(Struct):
    """One figure over the runs that came to their end."""

    median: float
    least: float
    most: float


class Row(Struct, kw_only=True):
    """All runs of one choice of parameters: those that were swept, how many runs, how many failed, their figures."""

    parameters: dict[str, Value]
    runs: int
    failed: int
    figures: dict[str, Measure]


class Failure(Struct):
    """A run that failed: what did not hold, and the command that repeats it."""

    command: str
    failures: list[str]


class Sweep(Struct, kw_only=True):
    """What `--json` prints."""

    scenario: str
    seeds: list[int]
    rows: list[Row]
    failures: list[Failure]


def seeds_of(text: str) -> range:
    """`A..B`, both included, or a single seed."""
    first, dots, last = text.partition("..")
    try:
        seeds = range(int(first), int(last if dots else first) + 1)
    except ValueError:
        raise click.UsageError(f"--seeds wants A..B, not '{text}'") from None
    if not seeds or seeds.start < 0:
        raise click.UsageError(f"--seeds {text}: there is no seed in that")
    return seeds


def grid_of(settings: tuple[str, ...], shorthands: Mapping[str, object]) -> dict[str, list[str]]:
    """The values of each parameter that was named, several of them where commas stand between them."""
    return {name: listed.split(",") for name, listed in assignments(settings, shorthands).items()}


def cells_of(choice: Choice, seeds: range) -> list[Cell]:
    """Every choice of parameters with every seed. UsageError where those are too many."""
    scenario, grid, plugins = choice
    count = len(seeds) * math.prod([len(several) for several in grid.values()])
    if count > MAX_RUNS:
        raise click.UsageError(f"these are {count:,} runs, at most {MAX_RUNS:,} are done at once")
    all_given = [dict(zip(grid, chosen, strict=True)) for chosen in itertools.product(*grid.values())]
    parameters = [values(scenario.read(given, plugins)) for given in all_given]
    origins = tuple(plugin.origin for plugin in plugins if plugin.origin is not None)
    return [Cell(scenario.name, seed, each, origins) for each in parameters for seed in seeds]


def run_all(cells: Sequence[Cell], jobs: int, done: Callable[[float, float], None]) -> list[Report]:
    """The reports, in the cells' order. `done` hears how many there are, of how many."""
    if jobs == 1 or len(cells) == 1:
        reports = []
        for cell in cells:
            reports.append(run_cell(cell))
            done(len(reports), len(cells))
        return reports
    finished: dict[int, Report] = {}
    with ProcessPoolExecutor(min(jobs, len(cells)), get_context("spawn"), _ignore_interrupts) as pool:
        with _held_interrupts():
            places = {pool.submit(run_cell, cell): place for place, cell in enumerate(cells)}
        try:
            for future in as_completed(places):
                finished[places[future]] = future.result()
                done(len(finished), len(cells))
        except BrokenExecutor:
            raise RunFailedError("a worker process was killed, perhaps for want of memory: try fewer --jobs") from None
        except BaseException:
            for worker in active_children():  # they ignore Ctrl-C, so that it is this process that notices first
                worker.terminate()
            pool.shutdown(cancel_futures=True)  # and wait: what outlives this complains when the interpreter ends
            raise
    return [finished[place] for place in range(len(cells))]


def run_cell(cell: Cell) -> Report:
    """One run, in whatever process: users' files are loaded there, and must be what they were."""
    plugins = [load_again(origin, *REGISTRIES) for origin in cell.plugins]
    scenario = SCENARIOS.named(cell.scenario, plugins)
    return play(scenario, cell.seed, cell.parameters, plugins=plugins).report


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def summed(choice: Choice, seeds: range, reports: Sequence[Report]) -> Sweep:
    """All reports, by the parameters that were swept."""
    scenario, grid, _ = choice
    swept = [name for name, several in grid.items() if len(several) > 1]
    rows = []
    for place in range(0, len(reports), len(seeds)):
        group = reports[place : place + len(seeds)]
        rows.append(
            Row(
                parameters={name: group[0].parameters[name] for name in swept},
                runs=len(group),
                failed=sum([bool(report.failures) for report in group]),
                figures=dict(_measures(group)),
            )
        )
    failures = [Failure(repeated(report, scenario), report.failures) for report in reports if report.failures]
    return Sweep(scenario=scenario.name, seeds=[seeds.start, seeds.stop - 1], rows=rows, failures=failures)


def write_csv(path: Path, reports: Sequence[Report]) -> None:
    """A line for each run: seed, parameters, whether it failed, figures."""
    lines = [
        {
            "seed": report.seed,
            **report.parameters,
            "failed": len(report.failures),
            "virtual_s": report.virtual_s,
            "events": report.events,
            "digest": report.digest,
            **({} if report.figures is None else asdict(report.figures)),
        }
        for report in reports
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, max(lines, key=len))
        writer.writeheader()
        writer.writerows(lines)


def _measures(reports: Sequence[Report]) -> Iterator[tuple[str, Measure]]:
    columns: dict[str, list[float]] = {}
    for report in reports:
        if report.figures is not None:
            for name, value in asdict(report.figures).items():
                columns.setdefault(name, []).append(value)
    for name, column in columns.items():
        yield name, Measure(statistics.median(column), min(column), max(column))


@contextmanager
def _held_interrupts() -> Iterator[None]:
    """Ctrl-C waits until this is over: workers begin in here, and it must find none short of `_ignore_interrupts`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _ignore_interrupts() -> None:
    """In a worker: Ctrl-C, which reaches all of the terminal's processes, is for the first one, which ends the rest."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
