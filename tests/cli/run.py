"""Command lines for tests, run in the test's own process."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from pychain.cli.main import run


class Result(NamedTuple):
    """The outcome of a command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs command lines with some options on each."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *options: str) -> None:
        self._capsys = capsys
        self._options = options

    def __call__(self, *words: str) -> Result:
        self._capsys.readouterr()
        code = run([*words, *self._options])
        return Result(code, *self._capsys.readouterr())

    def ok(self, *words: str) -> Result:
        """Run a command line that must succeed."""
        result = self(*words)
        assert (result.code, result.err) == (0, ""), result.err
        return result

    def fails(self, code: int, *words: str) -> str:
        """Run a command line that must fail with this code; returns its line on standard error."""
        result = self(*words)
        assert result.code == code, result
        assert "Traceback" not in result.err
        assert result.err.startswith("pychain: ")
        assert result.err.count("\n") == 1
        return result.err
