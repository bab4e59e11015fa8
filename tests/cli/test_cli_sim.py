"""The simulator's commands: runs, records, sweeps, failures, and the same digest wherever a seed is run."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from pychain.cli.sim import sweeps
from pychain.cli.sim.sweeps import MAX_RUNS, Cell
from pychain.sim.chronicle import Figures
from pychain.sim.play import Report
from pychain.sim.scenario import Parameters, Scenario
from pychain.sim.scenarios import SCENARIOS
from pychain.sim.scenarios.race import Race
from pychain.sim.scenarios.race import play as play_race
from pychain.sim.stage import Stage
from tests.cli.run import Result, Shell
from tests.cli.terminal import Terminal

SMALL = ("--set", "blocks=5", "--nodes", "3")


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def done(result: Result) -> Result:
    """A run that went well; how fast is on standard error."""
    assert result.code == 0, result.err
    assert result.err.count("\n") == 1
    assert "events/s" in result.err
    return result


class Fragile(Parameters, frozen=True, kw_only=True):
    nodes: int = 2
    limit: int = 5


def fail_above(stage: Stage, fragile: Fragile) -> Figures:
    """A race that does not hold from some seed on, and breaks off from the next."""
    figures = play_race(stage, Race(nodes=fragile.nodes, blocks=2, transfers=0))
    if stage.seed >= fragile.limit:
        stage.fail("too high a seed")
    assert stage.seed <= fragile.limit, "much too high"
    return figures


FRAGILE = Scenario("fragile", "fails", Fragile, fail_above, ("height",))


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario that a package has installed."""

    def entry_points(group: str) -> list[EntryPoint]:
        return [EntryPoint("fragile", f"{__name__}:FRAGILE", group)] if group == SCENARIOS.group else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)


def test_the_list_names_every_scenario_and_parameter(shell: Shell) -> None:
    listed = shell.ok("sim", "list", "--json").json
    assert [each["name"] for each in listed] == list(SCENARIOS.built_in)
    shown = shell.ok("sim", "list").out
    for each in listed:
        assert f"{each['name']}: {each['about']}" in shown
        for parameter in each["parameters"]:
            assert f"\n  {parameter['name']} " in shown
            assert parameter["description"] in shown


def test_a_run_reports_its_figures(shell: Shell) -> None:
    report = done(shell("sim", "run", "race", "--seed", "7", *SMALL, "--json")).json
    assert report["scenario"] == "race"
    assert report["seed"] == 7
    assert report["parameters"]["nodes"] == 3
    assert report["failures"] == []
    assert report["figures"]["height"] >= 5
    shown = done(shell("sim", "run", "race", "--seed", "7", *SMALL)).out
    assert report["digest"] in shown
    assert "all passed" in shown


def test_the_command_that_is_told_repeats_the_run(shell: Shell) -> None:
    report = done(shell("sim", "run", "race", "--seed", "7", *SMALL, "--json")).json
    words = shlex.split(report["command"])
    assert words[0] == "pychain"
    assert done(shell(*words[1:], "--json")).json == report


def test_a_record_is_replayed(shell: Shell, tmp_path: Path) -> None:
    trace = tmp_path / "race.trace"
    report = done(shell("sim", "run", "race", *SMALL, "--trace", str(trace), "--json")).json
    assert done(shell("sim", "replay", str(trace))).out == "identical\n"
    told = done(shell("sim", "replay", str(trace), "--json")).json
    assert told == {"identical": True, "difference": None, "digest": report["digest"]}


def test_a_replay_that_differs_says_when(shell: Shell, tmp_path: Path) -> None:
    trace = tmp_path / "race.trace"
    done(shell("sim", "run", "race", *SMALL, "--trace", str(trace)))
    lines = trace.read_text("utf-8").splitlines()
    mark = json.loads(lines[100])
    lines[100] = json.dumps({**mark, "digest": "0" * 16})
    trace.write_text("\n".join(lines))
    result = shell("sim", "replay", str(trace), "--json")
    assert result.code == 1
    assert result.json["identical"] is False
    assert f"{mark['virtual_ns'] / 1e9:.6f} s of virtual time" in result.json["difference"]
    assert result.err.splitlines()[-1] == f"pychain: the run diverged {result.json['difference']}"


def test_a_file_that_is_no_record(shell: Shell, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("hello\n")
    assert "not a record of a run" in shell.fails(1, "sim", "replay", str(other))


@pytest.mark.usefixtures("fragile")
def test_a_failing_run_names_its_seed_and_command(shell: Shell) -> None:
    result = shell("sim", "run", "fragile", "--seed", "5", "--nodes", "3")
    assert result.code == 1
    assert "1 failed" in result.out
    assert result.err.splitlines()[-1] == (
        "pychain: seed 5: too high a seed; again with: pychain sim run fragile --seed 5 --set nodes=3"
    )


@pytest.mark.usefixtures("fragile")
def test_a_run_that_breaks_off_is_a_failure_too(shell: Shell) -> None:
    result = shell("sim", "run", "fragile", "--seed", "6", "--json")
    assert result.code == 1
    assert result.json["figures"] is None
    assert result.json["failures"][0] == "too high a seed"
    assert result.json["failures"][1].startswith("AssertionError in test_cli_sim.py:")
    assert result.json["failures"][1].endswith(": much too high")
    assert "(and 1 more)" in result.err


@pytest.mark.usefixtures("fragile")
def test_a_sweep_lists_its_failures(shell: Shell, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    words = ("sim", "sweep", "fragile", "--seeds", "3..6", "--nodes", "1,2", "--jobs", "1", "--csv", str(table))
    result = shell(*words)
    assert result.code == 1
    commands = [f"pychain sim run fragile --seed {seed}{more}" for more in (" --set nodes=1", "") for seed in (5, 6)]
    for command in commands:
        assert command in result.out
    assert result.err.splitlines()[-1] == f"pychain: 4 of 8 runs failed; the first: {commands[0]}"
    told = shell(*words, "--json").json
    assert [failure["command"] for failure in told["failures"]] == commands
    assert [(row["parameters"], row["runs"], row["failed"]) for row in told["rows"]] == [
        ({"nodes": 1}, 4, 2),
        ({"nodes": 2}, 4, 2),
    ]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["nodes"], row["failed"]) for row in rows[:4]] == [
        ("3", "1", "0"),
        ("4", "1", "0"),
        ("5", "1", "1"),
        ("6", "1", "2"),
    ]
    assert rows[3]["height"] == ""


def test_a_sweep_has_medians_and_spreads(shell: Shell, tmp_path: Path) -> None:
    table, picture = tmp_path / "runs.csv", tmp_path / "runs.svg"
    options = ("--set", "blocks=4,8", "--nodes", "2,3", "--csv", str(table), "--plot", str(picture))
    sweep = done(shell("sim", "sweep", "race", "--seeds", "1..3", "--jobs", "1", *options, "--json")).json
    assert (sweep["scenario"], sweep["seeds"]) == ("race", [1, 3])
    assert [row["parameters"] for row in sweep["rows"]] == [
        {"nodes": nodes, "blocks": blocks} for nodes in (2, 3) for blocks in (4, 8)
    ]
    with table.open(newline="") as file:
        heights = sorted(
            int(row["height"]) for row in csv.DictReader(file) if (row["nodes"], row["blocks"]) == ("3", "8")
        )
    measure = sweep["rows"][3]["figures"]["height"]
    assert (measure["least"], measure["median"], measure["most"]) == tuple(heights)
    assert "<svg" in picture.read_text("utf-8")


def test_one_seed_is_one_run_under_any_hash_seed_and_in_any_process(shell: Shell, tmp_path: Path) -> None:
    """Also across the processes of a sweep."""
    digests = set()
    for hash_seed in ("1", "2"):
        words = [sys.executable, "-m", "pychain", "sim", "run", "churn", "--seed", "3", *SMALL, "--json"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        told = subprocess.run(words, env=environment, capture_output=True, check=True, timeout=120).stdout
        digests.add(json.loads(told)["digest"])
    table = tmp_path / "runs.csv"
    done(shell("sim", "sweep", "churn", "--seeds", "2..3", *SMALL, "--jobs", "2", "--csv", str(table)))
    with table.open(newline="") as file:
        digests.add(next(row["digest"] for row in csv.DictReader(file) if row["seed"] == "3"))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("run", "war"), "scenario 'war' is unknown"),
        (("run", "race", "--set", "colour=red"), "no parameter 'colour'"),
        (("run", "race", "--set", "nodes"), "--set needs KEY=VALUE"),
        (("run", "race", "--nodes", "x"), "nodes=x does not fit"),
        (("run", "churn", "--retarget", "lwma"), "no parameter 'retarget'"),
        (("run", "race", "--retarget", "dgw"), "retarget rule 'dgw' is unknown"),
        (("run", "race", "--fork-choice", "ghost"), "fork_choice rule 'ghost' is unknown"),
        (("sweep", "race", "--seeds", "1..2", "--retarget", "asert,dgw"), "retarget rule 'dgw' is unknown"),
        (("run", "race", "--seed", "-1"), "seed -1"),
        (("run", "race", "--trace", "nowhere/x"), "no such directory"),
        (("replay", "nowhere"), "does not exist"),
        (("sweep", "race"), "--seeds"),
        (("sweep", "race", "--seeds", "a..b"), "--seeds needs A..B"),
        (("sweep", "race", "--seeds", "5..1"), "the range is empty"),
        (("sweep", "race", "--seeds", "1..2", "--nodes", "2,"), "nodes= does not fit"),
        (("sweep", "race", "--seeds", f"0..{MAX_RUNS}"), "at most"),
        (("sweep", "race", "--seeds", "1", "--csv", "nowhere/x"), "no such directory"),
        (("sweep", "race", "--seeds", "1", "--plot", "x.txt"), "the file name must end in"),
    ],
)
def test_wrong_usage(shell: Shell, words: tuple[str, ...], complaint: str) -> None:
    result = shell("sim", *words)
    assert result.code == 2
    assert result.out == ""
    assert complaint in result.err
    assert "Traceback" not in result.err


def test_a_plot_without_matplotlib_says_what_to_install(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pychain.cli.sim.plot", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = shell("sim", "sweep", "race", "--seeds", "1", "--plot", "x.png")
    assert result.code == 2
    assert "pip install 'pychain-node[sim]'" in result.err


def test_progress_is_shown_on_a_terminal() -> None:
    with Terminal("sim", "run", "race", "--set", "blocks=30") as terminal:
        terminal.wait_for("race, seed 0, virtual ")
        terminal.wait_for("30 blocks")
        terminal.wait_for("all passed")
        assert terminal.end() == 0


def test_ctrl_c_ends_a_sweep_with_its_processes() -> None:
    with Terminal("sim", "sweep", "race", "--seeds", "1..500", "--set", "blocks=10", "--jobs", "2") as terminal:
        terminal.wait_for("2 of 500 runs")
        terminal.type("\x03")
        terminal.wait_for("pychain: interrupted")
        assert terminal.end() == 1
        assert "Traceback" not in terminal.seen


def fall(cell: Cell) -> Report:
    """A run whose process is killed."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(cell)


def test_a_worker_that_is_killed_is_told(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "run_cell", fall)
    assert "a worker process was killed" in shell.fails(1, "sim", "sweep", "race", "--seeds", "1..2", "--jobs", "2")


def test_scenarios_complete_in_the_shell() -> None:
    asked = {"_PYCHAIN_COMPLETE": "bash_complete", "COMP_WORDS": "pychain sim run ch", "COMP_CWORD": "3"}
    words = [sys.executable, "-m", "pychain"]
    told = subprocess.run(words, env={**os.environ, **asked}, capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "plain,churn\n"
