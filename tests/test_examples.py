"""The examples keep their word: each runs to its end by itself and prints what its first lines show."""

from __future__ import annotations

import ast
import doctest
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.py"))
PATIENCE_S = 120
"""Each takes a second or two; a busy machine may take its time."""


def shown(program: Path) -> str:
    """The output that a program's docstring promises: its indented lines, `...` for what differs from run to run."""
    documented = ast.get_docstring(ast.parse(program.read_text("utf-8"))) or ""
    return textwrap.dedent("".join(f"{line}\n" for line in documented.splitlines() if line.startswith("    ")))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_it_prints_what_it_promises(program: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYCHAIN_")}
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env={**environment, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    promised = shown(program)
    assert promised
    assert doctest.OutputChecker().check_output(promised, done.stdout, doctest.ELLIPSIS), done.stdout
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_the_index_names_every_program() -> None:
    index = (EXAMPLES / "README.md").read_text("utf-8")
    assert sorted(re.findall(r"\]\((\w+\.py)\)", index)) == [program.name for program in PROGRAMS]
