"""The layers of the C core, which the head of csrc/pychain.h names: no circle among includes, none among the files that
use each other's functions and data, and no header that declares what belongs to different layers.

Read from the sources, with or without a compiler. What a header uses is used by the files that include it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

CSRC = Path(__file__).resolve().parents[2] / "csrc"
PUBLIC_HEADER = "pychain.h"  # declares functions of all layers, for those outside

Graph = dict[str, set[str]]  # a file, and those that it needs

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)
# What stands outside of all functions begins its line, and nothing else does but directives.
PRIVATE = r"(?!(?:\w+_TARGET |TARGET )?static\b|typedef\b|\w+_FUNCTION\b|\w+_PROCEDURE\b)"
FUNCTION = re.compile(rf"^{PRIVATE}[A-Za-z_][\w *]*?\b(\w+)\([^{{}};]*\)(?=;|\n\{{)", re.MULTILINE)
EXTERN = re.compile(r"^extern\b[^;]*;", re.MULTILINE)
DECLARED_DATA = re.compile(r"(\w+)(?:\[\w+\])*[,;]")
PUBLIC_LINE = re.compile(rf"^{PRIVATE}[A-Za-z_].*$", re.MULTILINE)
TAG = re.compile(r"\b(?:struct|enum) \w+")
NAME = re.compile(r"(?<![\w.>])[A-Za-z_]\w*")


def reach(graph: Graph, begin: Iterable[str]) -> set[str]:
    """The files of `begin` and all that they need, over any number of steps."""
    seen: set[str] = set()
    ahead = list(begin)
    while ahead:
        file = ahead.pop()
        if file not in seen:
            seen.add(file)
            ahead += graph[file]
    return seen


def circle(graph: Graph) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


class Core:
    """What the files under a folder include, declare, define and use."""

    def __init__(self, root: Path) -> None:
        paths = sorted(path for path in root.rglob("*") if path.suffix in {".c", ".h", ".inc"})
        self.code = {str(path.relative_to(root)): COMMENT.sub(" ", path.read_text("utf-8")) for path in paths}
        self.sources = [file for file in self.code if file.endswith(".c")]
        self.includes: Graph = {
            file: {self._included(root, file, name) for name in INCLUDE.findall(code)}
            for file, code in self.code.items()
        }
        self.declared = {file: self._declarations(code) for file, code in self.code.items() if file.endswith(".h")}
        self.definers = self._definers()
        self.uses: Graph = {file: self._used_files(file) for file in self.sources}

    def _included(self, root: Path, file: str, name: str) -> str:
        """As the compiler looks for it: beside the file, then in the root."""
        beside = (root / file).parent.joinpath(name).resolve()
        return str(beside.relative_to(root.resolve())) if beside.exists() else name

    def _declarations(self, code: str) -> set[str]:
        data = (name for extern in EXTERN.findall(code) for name in DECLARED_DATA.findall(extern))
        return {*FUNCTION.findall(code), *data}

    def _definers(self) -> dict[str, set[str]]:
        """Each name that a header declares, and the files that define it."""
        definers: dict[str, set[str]] = {name: set() for names in self.declared.values() for name in names}
        for file in self.sources:
            for line in PUBLIC_LINE.findall(TAG.sub("tag", self.code[file])):
                for name in definers.keys() & set(NAME.findall(line)):
                    definers[name].add(file)
        return definers

    def _used_files(self, file: str) -> set[str]:
        bodies = (PUBLIC_LINE.sub(" ", TAG.sub("tag", self.code[part])) for part in reach(self.includes, [file]))
        names = {name for body in bodies for name in NAME.findall(body)}
        return {definer for name in names & self.definers.keys() for definer in self.definers[name]} - {file}

    def headers_of_several_layers(self) -> list[str]:
        """Headers that declare what is on both sides of some other file."""
        wrong = []
        for header in self.declared.keys() - {PUBLIC_HEADER}:
            own = {file for name in self.declared[header] for file in self.definers[name]}
            between = reach(self.uses, own) - own
            wrong += [f"{header}, around {file}" for file in sorted(between) if reach(self.uses, [file]) & own]
        return sorted(wrong)


@pytest.fixture(scope="module")
def core() -> Core:
    return Core(CSRC)


def test_includes_form_no_circle(core: Core) -> None:
    assert circle(core.includes) == []


def test_files_that_use_each_other_form_no_circle(core: Core) -> None:
    assert circle(core.uses) == []


def test_no_header_declares_what_belongs_to_different_layers(core: Core) -> None:
    assert core.headers_of_several_layers() == []


def test_each_public_name_is_declared_in_a_header_and_defined_in_one_file(core: Core) -> None:
    assert {name: files for name, files in core.definers.items() if len(files) != 1} == {}
    for file in core.sources:
        assert {*FUNCTION.findall(core.code[file])} <= core.definers.keys(), file


def write_core(root: Path, files: dict[str, str]) -> Core:
    for name, code in files.items():
        (root / name).write_text(code, "utf-8")
    return Core(root)


def test_a_circle_of_includes_is_found(tmp_path: Path) -> None:
    core = write_core(tmp_path, {"a.h": '#include "b.h"\n', "b.h": '#include "a.h"\n', "c.c": '#include "a.h"\n'})
    assert set(circle(core.includes)) == {"a.h", "b.h"}


def test_a_circle_of_uses_is_found_across_headers_and_data(tmp_path: Path) -> None:
    files = {
        "a.h": "/* void not_code(void); */\nint high(struct low *low);\nextern const int LOW[3], MORE;\n",
        "inline.h": '#include "a.h"\nstatic int third(void)\n{\n    return LOW[2];\n}\n',
        "high.c": '#include "inline.h"\nint high(struct low *low)\n{\n    return low->high + third();\n}\n',
        "low.c": '#include "a.h"\nconst int LOW[3] = {1, 2, 3}, MORE = 4;\n',
    }
    assert circle(write_core(tmp_path, files).uses) == []
    files["low.c"] += "static int (*const UP)(struct low *) = high;\n"
    core = write_core(tmp_path, files)
    assert core.definers == {"high": {"high.c"}, "LOW": {"low.c"}, "MORE": {"low.c"}}
    assert set(circle(core.uses)) == {"high.c", "low.c"}


def test_a_header_of_two_layers_is_found(tmp_path: Path) -> None:
    files = {
        "all.h": "int low(void);\nint high(void);\n",
        "middle.h": "int middle(void);\n",
        "low.c": '#include "all.h"\nint low(void)\n{\n    return 1;\n}\n',
        "middle.c": '#include "all.h"\nint middle(void)\n{\n    return low();\n}\n',
        "high.c": '#include "middle.h"\nint high(void)\n{\n    return middle();\n}\n',
    }
    core = write_core(tmp_path, files)
    assert circle(core.uses) == []
    assert core.headers_of_several_layers() == ["all.h, around middle.c"]
