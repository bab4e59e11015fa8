"""The simulator with scenarios and rules from users' files: in single runs, sweeps with workers, and replays."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from pychain.plugins import load_plugins
from pychain.sim.play import play
from pychain.sim.registries import REGISTRIES
from pychain.sim.scenarios import SCENARIOS
from tests.cli.run import Shell
from tests.support.user_rules import NAME, write_rules

SCENARIO = '''"""A race of two nodes under any rule."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pychain.sim.scenario import Parameters, Retarget, Scenario
from pychain.sim.scenarios.race import Race
from pychain.sim.scenarios.race import play as play_race


class Duel(Parameters, frozen=True, kw_only=True):
    rule: Retarget = "fixed"
    blocks: Annotated[int, Meta(description="blocks until the end")] = 5


def play(stage, duel):
    return play_race(stage, Race(nodes=2, blocks=duel.blocks, transfers=0, retarget=duel.rule))


DUEL = Scenario("duel", "two nodes race", Duel, play, ("height",))
'''
PARTICIPANT = """from pychain.p2p.messages import Block, Headers
from pychain.sim.participants import Participant


class Mute(Participant):
    name = "mute-v1"

    def outgoing(self, peer, message):
        return None if isinstance(message, Headers | Block) else message
"""
SMALL = ("--set", "blocks=5", "--nodes", "2")


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's directory with both files, in which all commands run."""
    write_rules(tmp_path)
    (tmp_path / "duel.py").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_rule_from_a_file(shell: Shell) -> None:
    """From the command line and from Python; all ways to name it are one run."""
    reports = [
        shell("sim", "run", "race", *SMALL, *words, "--json").json
        for words in (
            ("--retarget", "./rules.py"),
            ("--retarget", "./rules.py:Steady"),
            ("--set", "retarget=rules.py:Steady"),
            ("--retarget", NAME, "--plugin", "rules.py"),
        )
    ]
    assert all(report["failures"] == [] for report in reports)
    assert all(report["parameters"]["retarget"] == NAME for report in reports)
    plugins = load_plugins(["rules.py:Steady"], *REGISTRIES)
    given = {"blocks": 5, "nodes": 2, "retarget": NAME}
    report = play(SCENARIOS.named("race"), 0, given, plugins=plugins).report
    assert {report.digest} == {each["digest"] for each in reports}
    assert report.digest != shell("sim", "run", "race", *SMALL, "--json").json["digest"]


def test_both_rules_from_one_file(shell: Shell) -> None:
    report = shell("sim", "run", "race", *SMALL, "--retarget", "rules.py", "--fork-choice", "rules.py", "--json").json
    assert (report["failures"], report["parameters"]["fork_choice"]) == ([], "sprinter-v1")
    assert [(each["kind"], each["name"]) for each in report["plugins"]] == [
        ("retarget rule", NAME),
        ("fork_choice rule", "sprinter-v1"),
    ]


def test_a_scenario_from_a_file(shell: Shell) -> None:
    result = shell("sim", "run", "./duel.py:DUEL", "--set", "rule=rules.py")
    assert result.code == 0, result.err
    assert "scenario          duel from ./duel.py:DUEL" in result.out
    assert f"retarget rule     {NAME} from rules.py:Steady" in result.out
    assert "duel: two nodes race" in shell.ok("sim", "list", "--plugin", "duel.py").out
    assert "race: " in shell.ok("sim", "list", "--plugin", "duel.py").out


def test_the_command_that_is_told_repeats_the_run(shell: Shell) -> None:
    report = shell("sim", "run", "./duel.py", "--set", "rule=rules.py", "--seed", "4", "--json").json
    words = shlex.split(report["command"])
    files = ["--plugin", "./duel.py:DUEL", "--plugin", "rules.py:Steady"]
    assert words == ["pychain", "sim", "run", "duel", "--seed", "4", *files, "--set", f"rule={NAME}"]
    assert shell(*words[1:], "--json").json == report


def test_a_sweep_loads_files_in_its_workers(shell: Shell) -> None:
    words = ("sim", "sweep", "./duel.py:DUEL", "--seeds", "1..2", "--set", "rule=fixed,rules.py", "--json")
    alone, together = (shell(*words, "--jobs", jobs).json for jobs in ("1", "2"))
    assert alone == together
    assert [row["parameters"] for row in alone["rows"]] == [{"rule": "fixed"}, {"rule": NAME}]
    assert [(row["runs"], row["failed"]) for row in alone["rows"]] == [(2, 0), (2, 0)]


@pytest.fixture
def trace(shell: Shell) -> str:
    """A record of a run with both files."""
    result = shell("sim", "run", "duel.py", "--set", "rule=rules.py:Steady", "--trace", "duel.trace")
    assert result.code == 0, result.err
    return "duel.trace"


def test_a_participant_from_a_file(shell: Shell, folder: Path) -> None:
    """In a run, a replay and a sweep; one that says nothing of blocks earns nothing."""
    (folder / "mute.py").write_text(PARTICIPANT)
    words = ("attack", "--participant", "./mute.py:Mute", "--set", "blocks=20", "--set", "alpha=0.4")
    report = shell("sim", "run", *words, "--trace", "mute.trace", "--json").json
    assert (report["failures"], report["parameters"]["participant"]) == ([], "mute-v1")
    assert (report["figures"]["revenue"], report["figures"]["found_share"] > 0) == (0, True)
    assert shell("sim", "replay", "mute.trace").out == "identical\n"
    rows = shell("sim", "sweep", *words, "--seeds", "0..1", "--jobs", "2", "--json").json["rows"]
    assert rows[0]["figures"]["revenue"]["most"] == 0
    (folder / "mute.py").write_text(PARTICIPANT.replace('    name = "mute-v1"\n', ""))
    assert "participant 'honest' of ./mute.py:Mute has a built-in one's name" in shell.fails(2, "sim", "run", *words)


def test_a_participant_that_fails_is_a_failed_run(shell: Shell, folder: Path) -> None:
    (folder / "mute.py").write_text(PARTICIPANT.replace("return None if", "return 1 / 0 if"))
    result = shell("sim", "run", "attack", "--participant", "mute.py", "--json")
    assert (result.code, result.json["failures"]) == (1, ["ZeroDivisionError in mute.py:9: division by zero"])


def test_a_record_names_what_came_from_files(trace: str) -> None:
    head = json.loads(Path(trace).read_text().splitlines()[0])
    assert (head["scenario"], head["parameters"]["rule"]) == ("duel", NAME)
    assert [(each["name"], each["file"], len(each["digest"])) for each in head["plugins"]] == [
        ("duel", "duel.py", 64),
        (NAME, "rules.py", 64),
    ]


def test_a_replay_loads_the_same_files(shell: Shell, trace: str) -> None:
    assert shell("sim", "replay", trace).out == "identical\n"


def test_a_replay_refuses_another_file_unless_it_is_given(shell: Shell, trace: str) -> None:
    rules = Path("rules.py")
    rules.write_text(rules.read_text() + "\n# the same rule\n")
    hint = f"give retarget rule '{NAME}' with --plugin FILE.py\n"
    assert shell.fails(2, "sim", "replay", trace) == (
        f"pychain: rules.py has changed since rules.py:Steady was loaded from it; {hint}"
    )
    assert shell("sim", "replay", trace, "--plugin", "rules.py").out == "identical\n"
    rules.rename("moved.py")
    assert shell.fails(2, "sim", "replay", trace) == f"pychain: there is no file rules.py; {hint}"
    assert shell("sim", "replay", trace, "--plugin", "moved.py:Steady").out == "identical\n"
    moved = Path("moved.py")
    moved.write_text(moved.read_text().replace("branch.height < 3", "branch.height < 2"))
    result = shell("sim", "replay", trace, "--plugin", "moved.py:Steady")
    assert (result.code, "the run diverged" in result.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("run", "./nowhere.py"), "there is no file ./nowhere.py"),
        (("run", "rules.py"), "rules.py:22: the file defines no scenario"),
        (("run", "race", "--retarget", "duel.py"), "duel.py:24: the file defines no retarget rule"),
        (("run", "race", "--retarget", "rules.py:Sprinter"), "rules.py:17: 'Sprinter' is not a retarget rule"),
        (("run", "race", "--retarget", "rules.py:Rule"), "rules.py:22: 'Rule' is not defined; the file defines"),
        (("run", "race", "--plugin", "broken.py"), "broken.py:3: ZeroDivisionError: division by zero"),
        (("sweep", "broken.py", "--seeds", "1"), "broken.py:3: ZeroDivisionError: division by zero"),
        (("run", "race", "--plugin", "copy.py", "--plugin", "rules.py"), "two of retarget rule 'steady-v1': copy.py:S"),
        (("run", "race", "--retarget", "copy.py", "--plugin", "rules.py"), "two of retarget rule 'steady-v1': rules.p"),
        (("run", "race", "--retarget", "asert.py"), "'asert' of asert.py:Steady has a built-in one's name"),
        (
            ("list", "--plugin", "open.py"),
            "open.py:23: TypeError: parameter 'blocks' of scenario 'duel' has no default",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(
    shell: Shell, folder: Path, words: tuple[str, ...], complaint: str
) -> None:
    rules = (folder / "rules.py").read_text()
    (folder / "copy.py").write_text(rules)
    (folder / "asert.py").write_text(rules.replace(NAME, "asert"))
    (folder / "broken.py").write_text("x = 1\n\n1 / 0\n")
    (folder / "open.py").write_text(SCENARIO.replace(" = 5", ""))
    assert complaint in shell.fails(2, "sim", *words)


@pytest.mark.parametrize(
    ("play", "failure"),
    [
        ("    return 1 / 0", "ZeroDivisionError in bad.py:20: division by zero"),
        ("    return None", "the scenario returned None, no figures"),
    ],
)
def test_a_scenario_that_fails_is_a_failed_run(shell: Shell, folder: Path, play: str, failure: str) -> None:
    lines = SCENARIO.splitlines()
    lines[19] = play
    (folder / "bad.py").write_text("\n".join(lines))
    result = shell("sim", "run", "bad.py", "--json")
    assert (result.code, result.json["failures"], result.json["figures"]) == (1, [failure], None)
