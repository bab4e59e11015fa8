"""`pychain sim`: its commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from pychain.cli.arguments import check_directory, check_picture
from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import print_facts, print_json, print_table, progress
from pychain.cli.sim.choice import choose, recorded
from pychain.cli.sim.runs import RunFailedError, as_json, assignments, number, print_report, repeated, shown, timed
from pychain.cli.sim.sweeps import Sweep, cells_of, cores, grid_of, run_all, seeds_of, summed, write_csv
from pychain.plugins import load_plugins
from pychain.sim.play import play
from pychain.sim.record import MAX_RECORD_BYTES, decode_record, difference, encode_record, record_of
from pychain.sim.registries import REGISTRIES
from pychain.sim.scenarios import SCENARIOS

file_path = click.Path(dir_okay=False, path_type=Path)
scenario_argument = click.argument(
    "scenario",
    shell_complete=lambda ctx, parameter, typed: [
        CompletionItem(name) for name in SCENARIOS.names() if name.startswith(typed)
    ],
)
SHORTHANDS = {"nodes": "N", "retarget": "RULE", "fork_choice": "RULE", "participant": "NAME"}
"""Parameters that have an option of their own."""
Command = TypeVar("Command", bound=Callable[..., Any])


def shorthand_options(command: Command) -> Command:
    """Add an option for each parameter in SHORTHANDS."""
    for name, metavar in reversed(SHORTHANDS.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, metavar=metavar, help=f"Short for --set {name}={metavar}.")(command)
    return command


@click.group("sim")
def command() -> None:
    """Networks of real nodes in one process, in virtual time. The same seed gives the same run, event by event.

    \b
        pychain sim list
        pychain sim run race --seed 7
        pychain sim sweep latency --seeds 1..5 --set delay=50,200,800
    """


@command.command("list")
@common_options
@pass_context
def list_(context: Context) -> None:
    """List the scenarios, and their parameters with defaults.

    \b
        pychain sim list
        pychain sim list --json
        pychain sim list --plugin ./mine.py
    """
    scenarios = SCENARIOS.all(load_plugins(context.plugins, *REGISTRIES)).values()
    if context.json:
        print_json(
            [
                {"name": scenario.name, "about": scenario.about, "parameters": scenario.described()}
                for scenario in scenarios
            ]
        )
        return
    for place, scenario in enumerate(scenarios):
        click.echo(("\n" if place else "") + f"{scenario.name}: {scenario.about}")
        print_table(
            ["  parameter", "default", ""],
            [[f"  {each.name}", number(each.default), each.description] for each in scenario.described()],
            right=["default"],
        )


@command.command()
@scenario_argument
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random choices.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter; may be repeated.")
@shorthand_options
@click.option("--trace", type=file_path, metavar="FILE", help="Write a record of the run, for `replay`.")
@common_options
@pass_context
def run(
    context: Context,
    /,
    scenario: str,
    seed: int,
    settings: tuple[str, ...],
    trace: Path | None,
    **shorthands: str | None,
) -> None:
    """Play a scenario to its end, and check that all nodes agree and their balances are correct.

    \b
        pychain sim run race --seed 7
        pychain sim run hashrate --retarget lwma --set factor=10
        pychain sim run hashrate --retarget ./rule.py:Rule
        pychain sim run attack --participant ./attacker.py:Attacker
        pychain sim run ./mine.py:SCENARIO
        pychain sim run selfish --set alpha=0.4 --set near=2 --json
        pychain sim run partition --nodes 12 --trace partition.trace
    `pychain sim list` names the scenarios and their parameters. The exit code is 1 if a check fails.
    """
    given = assignments(settings, shorthands)
    choice = choose(scenario, {name: [value] for name, value in given.items()}, context.plugins)
    chosen = choice.scenario
    if trace is not None:
        check_directory("--trace", trace)
    with shown(f"{chosen.name}, seed {seed}") as progress, timed() as ended:
        done = play(chosen, seed, dict(choice.given), progress, choice.plugins)
    report = done.report
    ended(report.events, report.virtual_s)
    if trace is not None:
        trace.write_bytes(encode_record(record_of(done)))
    if context.json:
        print_json(as_json(report, chosen))
    else:
        print_report(report)
    if report.failures:
        more = f" (and {len(report.failures) - 1} more)" if len(report.failures) > 1 else ""
        raise RunFailedError(f"seed {seed}: {report.failures[0]}{more}; again with: {repeated(report, chosen)}")


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@common_options
@pass_context
def replay(context: Context, file: Path) -> None:
    """Repeat a recorded run and compare: identical, or when it first diverged.

    \b
        pychain sim run churn --seed 3 --trace churn.trace
        pychain sim replay churn.trace
    Plug-in files of the run must be unchanged; --plugin gives them from another place.
    """
    with file.open("rb") as stream:
        record = decode_record(stream.read(MAX_RECORD_BYTES + 1))
    head = record.head
    plugins = recorded(head.plugins, context.plugins)
    scenario = SCENARIOS.named(head.scenario, plugins)
    with shown(f"{head.scenario}, seed {head.seed}") as progress, timed() as ended:
        done = play(scenario, head.seed, head.parameters, progress, plugins)
    ended(done.report.events, done.report.virtual_s)
    apart = difference(record, record_of(done))
    if context.json:
        print_json({"identical": apart is None, "difference": apart, "digest": done.report.digest})
    elif apart is None:
        click.echo("identical")
    if apart is not None:
        versions = "" if head.pychain == done.report.version else f" (recorded by pychain {head.pychain})"
        raise RunFailedError(f"the run diverged {apart}{versions}")


@command.command()
@scenario_argument
@click.option("--seeds", required=True, metavar="A..B", help="The seeds, both ends included.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE,...", help="A parameter and its values; may be repeated."
)
@shorthand_options
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes (default: one for each core).")
@click.option("--csv", "table", type=file_path, metavar="FILE", help="Also write a line for each run.")
@click.option(
    "--plot",
    type=file_path,
    metavar="FILE",
    help="Also plot the figures, as PNG, SVG or PDF by FILE's ending; needs pychain-node[sim].",
)
@common_options
@pass_context
def sweep(
    context: Context,
    /,
    scenario: str,
    seeds: str,
    settings: tuple[str, ...],
    jobs: int | None,
    table: Path | None,
    plot: Path | None,
    **shorthands: str | None,
) -> None:
    """Play a scenario with many seeds and parameters: the median and range of each figure.

    \b
        pychain sim sweep race --seeds 1..20
        pychain sim sweep latency --seeds 1..5 --set delay=50,200,800 --plot latency.png
        pychain sim sweep hashrate --seeds 1..8 --retarget asert,lwma,bitcoin --csv rules.csv
        pychain sim sweep selfish --seeds 1..4 --set alpha=0.2,0.3,0.4 --set near=0,2 --jobs 2
    """
    numbers = seeds_of(seeds)
    choice = choose(scenario, grid_of(settings, shorthands), context.plugins)
    chosen, cells = choice.scenario, cells_of(choice, numbers)
    draw = None if plot is None else _drawing(plot, chosen.headline)
    if table is not None:
        check_directory("--csv", table)
    with progress(chosen.name, "runs") as done, timed() as ended:
        reports = run_all(cells, jobs or cores(), done)
    ended(sum([report.events for report in reports]), sum([report.virtual_s for report in reports]))
    result = summed(choice, numbers, reports)
    if table is not None:
        write_csv(table, reports)
    if draw is not None:
        draw(result)
    if context.json:
        print_json(result)
    else:
        _print_sweep(result, chosen.headline)
    if result.failures:
        raise RunFailedError(
            f"{len(result.failures)} of {len(cells)} runs failed; the first: {result.failures[0].command}"
        )


def _drawing(path: Path, headline: tuple[str, ...]) -> Callable[[Sweep], None]:
    """A function that plots into `path`. Raises at once, before minutes of work, if that would be impossible."""
    try:
        from pychain.cli.sim.plot import draw, formats
    except ImportError as error:
        raise click.UsageError(f"--plot needs matplotlib (pip install 'pychain-node[sim]'): {error}") from None
    check_picture("--plot", path, formats())
    return lambda sweep: draw(path, sweep, headline)


def _print_sweep(sweep: Sweep, headline: tuple[str, ...]) -> None:
    swept = list(sweep.rows[0].parameters)
    columns = [*swept, "runs", "failed", *[name.replace("_", " ") for name in headline]]
    rows = []
    for row in sweep.rows:
        shown_figures = [row.figures.get(name) for name in headline]
        cells = [
            "" if each is None else f"{number(each.median)} ({number(each.least)} to {number(each.most)})"
            for each in shown_figures
        ]
        rows.append([*[number(value) for value in row.parameters.values()], row.runs, row.failed, *cells])
    print_table(columns, rows, right=columns)
    if sweep.failures:
        click.echo()
        print_facts([(each.command, "; ".join(each.failures)) for each in sweep.failures])
