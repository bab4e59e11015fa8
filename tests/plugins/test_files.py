"""Plug-ins from files: which of a file's things are meant, and one line with file and line for whatever is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pychain.base.errors import ConfigError
from pychain.base.registry import Plugin, Registry
from pychain.consensus.fork_choice import FORK_CHOICE_RULES, ForkChoiceRule
from pychain.consensus.retarget import RETARGET_RULES
from pychain.consensus.rulebook import Rulebook
from pychain.plugins import is_reference, load_again, load_one, load_plugins
from pychain.plugins.files import MAX_SOURCE_BYTES
from tests.support.branches import timed_branch
from tests.support.builder import spec_of
from tests.support.network import Network

RULES = """
from pychain.consensus.fork_choice import ForkChoiceRule, Longest
from pychain.consensus.retarget import RetargetRule


class _Steady(RetargetRule):
    bits = 0x207FFFFF

    def next_bits(self, spec, branch):
        return self.bits


class Steady(_Steady):
    name = "steady-v1"


class Steadier(_Steady):
    name = "steadier-v1"
    bits = 0x1F0FFFFF


class Shortest(ForkChoiceRule):
    name = "shortest-v1"

    def weight(self, spec, chain_work, height):
        return -height


Alias = Shortest
number = 7
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "rules.py"
    path.write_text(RULES)
    return str(path)


def names(plugins: tuple[Plugin, ...]) -> list[str]:
    return [plugin.name for plugin in plugins]


@pytest.mark.parametrize("text", ["./rule.py", "rule.py", "a/b.py:Rule", "/x.py:Y"])
def test_references(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize("text", ["asert", "steady-v1", "a/b", "rule.pyc", "x:Rule", "7", ""])
def test_names_are_no_references(text: str) -> None:
    assert not is_reference(text)


def test_a_file_without_a_name_means_all_that_it_defines(file: str) -> None:
    plugins = load_plugins([file], RETARGET_RULES, FORK_CHOICE_RULES)
    assert names(plugins) == ["steady-v1", "steadier-v1", "shortest-v1"]
    assert [plugin.origin.attribute for plugin in plugins if plugin.origin] == ["Steady", "Steadier", "Shortest"]
    assert names(load_plugins([file], FORK_CHOICE_RULES)) == ["shortest-v1"]


def test_a_file_with_a_name_means_that(file: str) -> None:
    assert names(load_plugins([f"{file}:Steady"], RETARGET_RULES, FORK_CHOICE_RULES)) == ["steady-v1"]
    kind: Registry[ForkChoiceRule] = Registry("rule", "tests.rules", ForkChoiceRule, ())
    assert names(load_plugins([f"{file}:Longest"], kind)) == ["longest"], "one that the file imports may be meant too"


def test_what_is_named_twice_is_loaded_once(file: str) -> None:
    plugins = load_plugins([f"{file}:Steady", file, f"{file}:Steady"], RETARGET_RULES)
    assert names(plugins) == ["steady-v1", "steadier-v1"]


def test_one_of_a_kind(file: str) -> None:
    assert load_one(file, FORK_CHOICE_RULES).name == "shortest-v1"
    assert load_one(f"{file}:Steadier", RETARGET_RULES).name == "steadier-v1"
    with pytest.raises(ConfigError, match=r"rules\.py has more than one retarget rule: .* among Steady, Steadier"):
        load_one(file, RETARGET_RULES)


def test_a_rule_from_a_file_is_a_rule(file: str) -> None:
    network = Network(retarget="steadier-v1", fork_choice="shortest-v1")
    rulebook = Rulebook(spec_of(network), load_plugins([file], RETARGET_RULES, FORK_CHOICE_RULES))
    assert rulebook.next_bits(timed_branch([1, 2, 3], 0)) == 0x1F0FFFFF
    assert rulebook.weight(1000, 7) == -7


def test_a_file_is_executed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "counted.py"
    path.write_text(RULES + f"with open({str(tmp_path / 'count')!r}, 'a') as file:\n    file.write('x')\n")
    monkeypatch.chdir(tmp_path)
    first, again = load_one(f"{path}:Steady", RETARGET_RULES), load_one("./counted.py:Steady", RETARGET_RULES)
    assert first.value is again.value
    assert (tmp_path / "count").read_text() == "x"


def test_annotations_of_a_file_are_found(tmp_path: Path) -> None:
    """Structs and dataclasses look their module up."""
    path = tmp_path / "struct.py"
    path.write_text(
        "from __future__ import annotations\nimport msgspec\n"
        f"{RULES}\nclass Own: pass\nclass Some(msgspec.Struct):\n    own: Own | None = None\n"
        "FIELDS = msgspec.structs.fields(Some)\n"
    )
    assert len(load_plugins([str(path)], RETARGET_RULES)) == 2


def test_a_plug_in_again(file: str) -> None:
    plugin = load_one(f"{file}:Steady", RETARGET_RULES)
    assert plugin.origin is not None
    assert load_again(plugin.origin, FORK_CHOICE_RULES, RETARGET_RULES) == plugin
    Path(file).write_text(RULES + "\n")
    with pytest.raises(ConfigError, match=r"rules\.py has changed since .*rules\.py:Steady was loaded from it"):
        load_again(plugin.origin, RETARGET_RULES)
    Path(file).unlink()
    with pytest.raises(ConfigError, match=r"there is no file .*rules\.py"):
        load_again(plugin.origin, RETARGET_RULES)


def test_two_files_with_one_name(file: str, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(RULES)
    with pytest.raises(
        ConfigError, match=r"two of retarget rule 'steady-v1': .*rules\.py:Steady and .*other\.py:Steady"
    ):
        load_plugins([f"{file}:Steady", f"{other}:Steady"], RETARGET_RULES)


def test_a_built_in_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(RULES.replace("steady-v1", "asert"))
    with pytest.raises(ConfigError, match=r"retarget rule 'asert' of .*mine\.py:Steady has a built-in one's name"):
        load_plugins([f"{path}:Steady"], RETARGET_RULES)


@pytest.mark.parametrize(
    ("source", "name", "line"),
    [
        ("x = 1\nclass (", "", "2: SyntaxError: invalid syntax"),
        ("if x:\npass", "", "2: IndentationError: expected an indented block"),
        ('x = "caf\u00e9"\n'.encode("latin-1"), "", "1: SyntaxError:"),
        ("x = 1\n\n1 / 0\n", "", "3: ZeroDivisionError: division by zero"),
        ("def f():\n    raise ValueError('one\\ntwo')\nf()\n", "", "2: ValueError: one"),
        ("import no_such_module\n", "", "1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys\nsys.exit(3)\n", "", "2: SystemExit: 3"),
        ("import json\njson.loads('[')\n", "", "2: JSONDecodeError:"),
        ("x = 1\n", "", "2: the file defines no retarget rule or fork_choice rule"),
        ("", "", "1: the file defines no retarget rule or fork_choice rule"),
        ("x = 1\n", "Rule", "2: 'Rule' is not defined; the file defines x"),
        ("x = 1\nRule = 7\n", "Rule", "2: 'Rule' is not a retarget rule or fork_choice rule"),
        ("\nif True:\n    def Rule():\n        pass\n", "Rule", "3: 'Rule' is not a retarget rule or fork_choice rule"),
        (RULES.replace('"steady-v1"', '"Steady v1"'), "Steady", "13: Steady: `name` must be"),
        (RULES.replace("    bits", "    def __init__(self): 1 / 0\n    bits"), "Steady", "7: ZeroDivisionError: "),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, source: str | bytes, name: str, line: str) -> None:
    path = tmp_path / "broken.py"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    with pytest.raises(ConfigError) as refused:
        load_plugins([f"{path}:{name}" if name else str(path)], RETARGET_RULES, FORK_CHOICE_RULES)
    assert str(refused.value).startswith(f"{path}:{line}")
    assert "\n" not in str(refused.value)


def test_a_file_that_fails_is_forgotten(tmp_path: Path) -> None:
    path, before = tmp_path / "broken.py", set(sys.modules)
    path.write_text(f"{RULES}\n1 / number.imag\n")
    with pytest.raises(ConfigError, match=r"broken\.py:\d+: ZeroDivisionError"):
        load_plugins([str(path)], RETARGET_RULES)
    assert set(sys.modules) == before
    path.write_text(RULES)
    assert names(load_plugins([str(path)], RETARGET_RULES)) == ["steady-v1", "steadier-v1"]


@pytest.mark.parametrize(
    ("path", "complaint"), [("nowhere.py", "there is no file nowhere.py"), ("a\0.py", "not a path")]
)
def test_files_that_cannot_be_read(path: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_one(path, RETARGET_RULES)


def test_a_directory_and_a_large_file(tmp_path: Path) -> None:
    folder, large = tmp_path / "folder.py", tmp_path / "large.py"
    folder.mkdir()
    large.write_bytes(b"#" * (MAX_SOURCE_BYTES + 1))
    with pytest.raises(ConfigError, match="Is a directory"):
        load_one(str(folder), RETARGET_RULES)
    with pytest.raises(ConfigError, match="is larger than"):
        load_one(str(large), RETARGET_RULES)
