"""The command: runs suites and shows their rows, as a table, as JSON or as a plot."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import click
from msgspec import UNSET, Struct

from pychain import native
from pychain.cli.arguments import check_picture
from pychain.cli.bench.measure import load
from pychain.cli.bench.progress import shown
from pychain.cli.bench.rows import Plan, Row
from pychain.cli.bench.scale import short
from pychain.cli.bench.suites import SUITES
from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import print_facts, print_json, print_table

COLUMNS = ["", "rate", "spread", "against", "pure Python"]


class Report(Struct):
    """The output of `--json`."""

    cpu: str
    features: list[str]
    compiler: str
    load: float | None
    rows: list[Row]


@click.command("bench")
@click.argument("suites", nargs=-1, type=click.Choice(list(SUITES)), metavar="[mining|hashing|signatures|chain]...")
@click.option("--seconds", type=click.FloatRange(0.001, 600), default=1.0, show_default=True, help="Time for each row.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also draw the rows, as PNG, SVG or PDF by FILE's extension; needs pychain-node[plot].",
)
@common_options
@pass_context
def command(context: Context, suites: tuple[str, ...], seconds: float, plot: Path | None) -> None:
    """Measure how fast this machine hashes, verifies and validates: each native kernel compared with hashlib,
    libsodium, OpenSSL and pure Python.

    \b
        pychain bench
        pychain bench mining --seconds 5 --json
        pychain bench signatures --plot signatures.png
    Measures the CPU time of one thread, five times per row, and shows the median and the spread. A busy machine lowers
    the results, so the load is shown too.
    """
    draw = None if plot is None else _drawing(plot)
    cpu, at_start = native.cpu(), load()
    plan = Plan(list(dict.fromkeys(suites)) or list(SUITES))
    with shown(plan.size) as begin:
        rows = plan.run(seconds, begin)
    report = Report(cpu.name, list(cpu.features), cpu.compiler, at_start, rows)
    if draw is not None:
        draw(report)
    if context.json:
        print_json(report)
    else:
        _print(report)


def _drawing(path: Path) -> Callable[[Report], None]:
    """The function that draws into `path`. Raises here, before minutes of work, if drawing is not possible."""
    try:
        from pychain.cli.bench.plot import draw, formats
    except ImportError as error:
        raise click.UsageError(f"--plot needs matplotlib (pip install 'pychain-node[plot]'): {error}") from None
    check_picture("--plot", path, formats())
    return lambda report: draw(path, report.rows, _title(report))


def _title(report: Report) -> str:
    busy = "" if report.load is None else f", load {report.load:g}"
    return f"{report.cpu}, one thread ({report.compiler}{busy})"


def _print(report: Report) -> None:
    print_facts(
        [
            ("processor", report.cpu),
            ("instructions", ", ".join(report.features) or "none that the kernels use"),
            ("compiler", report.compiler or "none: the native core is not built"),
            ("load", "unknown" if report.load is None else report.load),
            ("in use", native.kernel if native.compiled else native.fallback_reason),
        ]
    )
    table: list[list[str]] = []
    for benchmark, rows in groupby(report.rows, key=lambda row: row.benchmark):
        table += [[""] * len(COLUMNS), [benchmark, *[""] * (len(COLUMNS) - 1)], *map(_cells, rows)]
    print_table(COLUMNS, table, right=COLUMNS[1:])


def _cells(row: Row) -> list[str]:
    against = (
        ("hashlib", row.ratio_to_hashlib)
        if row.ratio_to_hashlib is not UNSET
        else ("libsodium", row.ratio_to_libsodium)
    )
    return [
        f"  {row.name}",
        f"{short(row.median)} {row.unit}",
        f"{(row.max - row.min) / row.median:.1%}",
        "" if against[1] is UNSET else f"{short(against[1])} x {against[0]}",
        "" if row.ratio_to_python is UNSET else f"{short(row.ratio_to_python)} x",
    ]
