"""The command itself: help, exit codes, one line for each mistake, and options wherever they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pychain import __version__
from pychain.cli.main import cli, run
from pychain.cli.reference import page
from pychain.keystore import Keystore, OpenWallet
from pychain.wallet.keys import dev_key
from tests.cli.run import Shell


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def all_commands() -> list[tuple[str, ...]]:
    """The words of every command."""
    found: list[tuple[str, ...]] = []

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        found.append(words)
        if isinstance(command, click.Group):
            ctx = click.Context(command)
            for name in command.list_commands(ctx):
                below = command.get_command(ctx, name)
                assert below is not None
                walk(below, (*words, name))

    walk(cli, ())
    return found


def leaf(words: tuple[str, ...]) -> click.Command:
    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        below = command.get_command(click.Context(command), word)
        assert below is not None
        command = below
    return command


def test_the_page_is_written_from_the_help() -> None:
    path = Path(__file__).parent.parent.parent / "docs" / "commands.md"
    written = path.read_text("utf-8").split()  # how lines are broken is for the installed click to say
    assert written == page().split(), "rewrite it: python -m pychain.cli > docs/commands.md"


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_every_command_helps(shell: Shell, words: tuple[str, ...]) -> None:
    result = shell.ok(*words, "--help")
    assert result.out.startswith("Usage: pychain")
    assert "Traceback" not in result.out


@pytest.mark.parametrize("words", [words for words in all_commands() if not isinstance(leaf(words), click.Group)])
def test_every_command_takes_the_common_options(words: tuple[str, ...]) -> None:
    options = {option for parameter in leaf(words).params for option in parameter.opts}
    assert {"--network", "--datadir", "--config", "--json"} <= options


@pytest.mark.parametrize("words", [words for words in all_commands() if words], ids=" ".join)
def test_help_teaches_by_example(words: tuple[str, ...]) -> None:
    line = " ".join(["pychain", *words])
    assert re.search(rf"(^|: ) *{re.escape(line)}\b", leaf(words).help or "", re.MULTILINE)


def test_the_version(shell: Shell) -> None:
    assert shell.ok("--version").out == f"pychain {__version__}\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["chain"], "Usage: pychain chain"),
        (["chain", "nonsense"], "No such command"),
        (["chain", "block"], "Missing argument"),
        (["chain", "info", "--nonsense"], "No such option"),
        (["chain", "verify", "--level", "9"], "9 is not in the range"),
        (["wallet", "send", "addr", "1,5"], "'1,5' is not an amount of coins"),
        (["bench", "nonsense"], "'nonsense' is not one of"),
        (["devnet", "up", "--topology", "torus"], "'torus' is not one of"),
        (["node", "--threads", "many"], "'many' is not a valid integer"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_wrong_usage_is_exit_code_2(shell: Shell, words: list[str], line: str) -> None:
    result = shell(*words)
    assert result.code == 2
    assert line in result.out + result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("words", [["chain", "info"], ["peers", "list"], ["mempool"], ["rpc", "uptime"]])
def test_without_a_node_it_is_exit_code_3(shell: Shell, words: list[str]) -> None:
    assert "no node runs in" in shell.fails(3, *words)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--network", "nowhere"], "network 'nowhere' is unknown; there are main, test, race, dev, or a file's path"),
        (["--network", "./missing.toml"], "there is no file missing.toml"),
        (["--config", "./missing.toml"], "there is no file missing.toml"),
        (["--network", ""], "--network: Expected `str` of length >= 1"),
    ],
)
def test_a_wrong_setting_is_exit_code_2(shell: Shell, options: list[str], line: str) -> None:
    assert line in shell.fails(2, "chain", "info", *options)
    assert line in shell.fails(2, *options, "chain", "info")


def test_of_an_option_that_stands_twice_the_right_one_holds(shell: Shell, tmp_path: Path) -> None:
    assert "unknown" not in shell.fails(3, "--network", "nowhere", "chain", "info", "--network", "dev")
    line = shell.fails(3, "--datadir", str(tmp_path / "one"), "chain", "info", "--datadir", str(tmp_path / "two"))
    assert str(tmp_path / "two") in line


def test_settings_come_from_the_environment_too(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCHAIN_DATADIR", str(tmp_path / "chosen"))
    assert str(tmp_path / "chosen") in shell.fails(3, "chain", "info")


def test_text_from_outside_cannot_steer_the_terminal(shell: Shell) -> None:
    line = shell.fails(2, "--network", "\x1b[31mred\nnext", "chain", "info")
    assert "\\x1b[31mred\\nnext" in line


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: Shell, name: str) -> None:
    assert "_PYCHAIN_COMPLETE" in shell.ok("completion", name).out


def python(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pychain", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )


def test_as_a_module_it_is_the_same_command() -> None:
    assert python("--version").stdout == f"pychain {__version__}\n"
    assert python("chain", "info").returncode == 3


def test_completion_completes() -> None:
    result = python(_PYCHAIN_COMPLETE="bash_complete", COMP_WORDS="pychain wal", COMP_CWORD="1")
    assert "plain,wallet" in result.stdout


def test_wallets_and_their_accounts_are_completed(tmp_path: Path) -> None:
    keystore = Keystore(tmp_path / "wallets")
    keystore.create("savings", "", OpenWallet().with_watched("cold", dev_key(0).public_key))

    def completed(line: str) -> str:
        environment = {"PYCHAIN_DATADIR": str(tmp_path), "PYCHAIN_NETWORK": "dev", "_PYCHAIN_COMPLETE": "bash_complete"}
        result = python(COMP_WORDS=line, COMP_CWORD=str(len(line.split()) - 1), **environment)
        assert result.stderr == ""
        return result.stdout.strip()

    assert completed("pychain wallet balance --wallet sa") == "plain,savings"
    assert completed("pychain wallet history --wallet savings --account c") == "plain,cold"
    assert completed("pychain wallet history --wallet nobodys --account c") == ""
    assert completed("pychain stamp con") == "file,con"


def test_a_reader_that_has_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "pychain", "--help"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
        )
    assert "Traceback" not in result.stderr


def test_an_interrupted_command_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pychain.cli.context.Context.ask", interrupt)
    assert run(["chain", "info"]) == 1
    assert capsys.readouterr().err.strip() == "pychain: interrupted"
