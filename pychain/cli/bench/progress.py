"""The progress of the benchmarks: a bar on standard error while they run, if that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pychain.cli.bench.suites import Case


@contextmanager
def shown(size: int) -> Iterator[Callable[[Case], None]]:
    """Yields a function to call as each of `size` cases begins. The bar disappears at the end."""
    if not sys.stderr.isatty():
        yield lambda case: None
        return
    columns = TextColumn("{task.description:<48}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    # Drawn only between cases: a refreshing thread would take the interpreter's lock from the measured work.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        task = progress.add_task("", total=size)
        begun = 0

        def begin(case: Case) -> None:
            nonlocal begun
            progress.update(task, description=f"{case.benchmark}: {case.name}", completed=begun, refresh=True)
            begun += 1

        yield begin
