"""The command: runs suites and shows their rows, as a table or as JSON."""

from __future__ import annotations

import click
from msgspec import UNSET, Struct

from pychain import native
from pychain.cli.bench.measure import load
from pychain.cli.bench.suites import SUITES, Row
from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import print_facts, print_json, print_table


class Report(Struct):
    """What `--json` prints."""

    cpu: str
    features: list[str]
    compiler: str
    load: float | None
    rows: list[Row]


@click.command("bench")
@click.argument("suites", nargs=-1, type=click.Choice(list(SUITES)), metavar="[mining|hashing|signatures]...")
@click.option("--seconds", type=click.FloatRange(0.001, 600), default=1.0, show_default=True, help="Time for each row.")
@common_options
@pass_context
def command(context: Context, suites: tuple[str, ...], seconds: float) -> None:
    """How fast this machine hashes and verifies: each native kernel against hashlib, libsodium and pure Python.

    \b
        pychain bench
        pychain bench mining --seconds 5 --json
    One thread is measured; a busy machine shows less, so the load is told too.
    """
    cpu = native.cpu()
    at_start = load()
    rows = [row for name in suites or SUITES for row in SUITES[name](seconds)]
    if context.json:
        print_json(Report(cpu.name, list(cpu.features), cpu.compiler, at_start, rows))
        return
    print_facts(
        [
            ("processor", cpu.name),
            ("instructions", ", ".join(cpu.features) or "none that the kernels use"),
            ("compiler", cpu.compiler),
            ("load", "unknown" if at_start is None else at_start),
            ("native core", native.kernel if native.compiled else native.fallback_reason),
        ]
    )
    click.echo()
    print_table(
        ["", "kernel", "median", "least", "most", "unit", "against"],
        [
            (row.benchmark, row.name, f"{row.median:,.0f}", f"{row.min:,.0f}", f"{row.max:,.0f}", row.unit, _ratio(row))
            for row in rows
        ],
        right=["median", "least", "most", "against"],
    )


def _ratio(row: Row) -> str:
    if row.ratio_to_hashlib is not UNSET:
        return f"{row.ratio_to_hashlib:.2f} x hashlib"
    return f"{row.ratio_to_libsodium:.2f} x libsodium"
