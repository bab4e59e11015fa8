"""Single runs: the progress bar, the report as a table, and the speed."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click
from msgspec.structs import asdict

from pychain.base.errors import PychainError
from pychain.base.time import NS
from pychain.cli.output import print_facts
from pychain.sim.chronicle import Progress
from pychain.sim.play import Report, Value, values
from pychain.sim.scenario import Scenario

REDRAW_S = 0.1


class RunFailedError(PychainError):
    """A check failed, in one run or several."""


@contextmanager
def shown(what: str) -> Iterator[Progress]:
    """Show a progress bar with the virtual time on standard error during a run, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda now_ns, height, goal: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}, virtual {task.fields[virtual]}"),
        BarColumn(),
        TextColumn("{task.completed:,} of {task.total:,} blocks"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(what, total=1, virtual=duration(0))
        drawn = 0.0

        def progress(now_ns: int, height: int, goal: int) -> None:
            nonlocal drawn
            if time.monotonic() >= drawn + REDRAW_S:
                drawn = time.monotonic()
                total, virtual = max(goal, height), duration(now_ns / NS)
                bar.update(task, completed=height, total=total, virtual=virtual, refresh=True)

        yield progress


def repeated(report: Report, scenario: Scenario[Any]) -> str:
    """The command that repeats a run: all parameters that are not at their defaults, and users' files."""
    defaults = values(scenario.parameters())
    changed = [f"{name}={value}" for name, value in report.parameters.items() if value != defaults[name]]
    words = ["pychain", "sim", "run", report.scenario, "--seed", str(report.seed)]
    files = [word for origin in report.plugins for word in ("--plugin", str(origin))]
    return shlex.join([*words, *files, *[word for setting in changed for word in ("--set", setting)]])


def as_json(report: Report, scenario: Scenario[Any]) -> dict[str, object]:
    """The report for programs, with the command that repeats the run."""
    return {**asdict(report), "command": repeated(report, scenario)}


def print_report(report: Report) -> None:
    """Print the report as a table."""
    figures = {} if report.figures is None else asdict(report.figures)
    print_facts(
        [
            ("scenario", report.scenario),
            ("seed", report.seed),
            *[(origin.kind, f"{origin.name} from {origin}") for origin in report.plugins],
            *[(name, number(value)) for name, value in report.parameters.items()],
            ("", ""),
            *[(name.replace("_", " "), number(value)) for name, value in figures.items()],
            ("", ""),
            ("virtual time", duration(report.virtual_s)),
            ("events", f"{report.events:,}"),
            ("digest", report.digest),
            ("checks", "all passed" if not report.failures else f"{len(report.failures)} failed"),
            *[("", line) for line in report.failures],
        ]
    )


@contextmanager
def timed() -> Iterator[Callable[[int, float], None]]:
    """Yields a function to call after some runs, with their events and virtual seconds: it prints their speed."""
    begin = time.monotonic()

    def progress(events: int, virtual_s: float) -> None:
        took = max(time.monotonic() - begin, 1e-6)
        rates = f"{events / took:,.0f} events/s, {virtual_s / took:,.0f} virtual seconds a second"
        click.echo(f"{events:,} events in {took:.1f} s: {rates}", err=True)

    yield progress


def duration(virtual_s: float) -> str:
    """A span of virtual time, in hours, minutes and seconds."""
    return str(timedelta(seconds=round(virtual_s)))


def number(value: Value) -> str:
    """A formatted figure: integers as they are, others to four digits."""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"
    return value if isinstance(value, str) else f"{value:,.0f}"


def assignments(settings: tuple[str, ...], shorthands: Mapping[str, object]) -> dict[str, str]:
    """Parameters from `key=value` words and from shorthand options. UsageError for other words."""
    given = {name: str(value) for name, value in shorthands.items() if value is not None}
    for word in settings:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set needs KEY=VALUE, not '{word}'")
        given[name] = value
    return given
