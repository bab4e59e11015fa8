"""Sweeps: one scenario with many seeds and parameters, in several processes, and a summary."""

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
"""A bound on memory, since all reports are kept until the end."""


class Cell(Struct, frozen=True):
    """One run of a sweep."""

    scenario: str
    seed: int
    parameters: dict[str, Value]
    plugins: tuple[Origin, ...]


class Measure(Struct):
    """One figure over the runs that ended normally."""

    median: float
    least: float
    most: float


class Row(Struct, kw_only=True):
    """All runs with one choice of the swept parameters: how many ran, how many failed, and their figures."""

    parameters: dict[str, Value]
    runs: int
    failed: int
    figures: dict[str, Measure]


class Failure(Struct):
    """A run that failed: the violations, and the command that repeats it."""

    command: str
    failures: list[str]


class Sweep(Struct, kw_only=True):
    """The result of a sweep, as printed by `--json`."""

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
        raise click.UsageError(f"--seeds needs A..B, not '{text}'") from None
    if not seeds or seeds.start < 0:
        raise click.UsageError(f"--seeds {text}: the range is empty")
    return seeds


def grid_of(settings: tuple[str, ...], shorthands: Mapping[str, object]) -> dict[str, list[str]]:
    """The values of each parameter that was set, separated by commas."""
    return {name: listed.split(",") for name, listed in assignments(settings, shorthands).items()}


def cells_of(choice: Choice, seeds: range) -> list[Cell]:
    """Every choice of parameters with every seed. UsageError if there are too many."""
    scenario, grid, plugins = choice
    count = len(seeds) * math.prod([len(several) for several in grid.values()])
    if count > MAX_RUNS:
        raise click.UsageError(f"a sweep of {count:,} runs is too large: at most {MAX_RUNS:,} are allowed")
    all_given = [dict(zip(grid, chosen, strict=True)) for chosen in itertools.product(*grid.values())]
    parameters = [values(scenario.read(given, plugins)) for given in all_given]
    origins = tuple(plugin.origin for plugin in plugins if plugin.origin is not None)
    return [Cell(scenario.name, seed, each, origins) for each in parameters for seed in seeds]


def run_all(cells: Sequence[Cell], jobs: int, done: Callable[[float, float], None]) -> list[Report]:
    """The reports, in the order of the cells. `done` is called with how many runs are done, and how many there are."""
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
            raise RunFailedError("a worker process was killed, perhaps for lack of memory: try fewer --jobs") from None
        except BaseException:
            for worker in active_children():  # they ignore Ctrl-C, so this process notices it first
                worker.terminate()
            pool.shutdown(cancel_futures=True)  # and wait, or leftover processes would print errors at exit
            raise
    return [finished[place] for place in range(len(cells))]


def run_cell(cell: Cell) -> Report:
    """Do one run in the present process: users' files are loaded again, and must be unchanged."""
    plugins = [load_again(origin, *REGISTRIES) for origin in cell.plugins]
    scenario = SCENARIOS.named(cell.scenario, plugins)
    return play(scenario, cell.seed, cell.parameters, plugins=plugins).report


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def summed(choice: Choice, seeds: range, reports: Sequence[Report]) -> Sweep:
    """Summarise all reports by the swept parameters."""
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
    """Write a line for each run: seed, parameters, whether it failed, figures."""
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
    """Delay Ctrl-C during this block: workers start in it, and must have run `_ignore_interrupts` first."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _ignore_interrupts() -> None:
    """In a worker: ignore Ctrl-C, which all processes of the terminal receive; the main process ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
