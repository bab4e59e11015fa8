"""`python -O` runs everything: an assert says what is true anyway, and does nothing else.

With -O no assert is evaluated. So none may hold a call that has an effect, or check something from outside, which is
for an error with a name. What an assert may call is on a list; all else is found in the source's syntax trees.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 120

PURE = {"isinstance", "len", "all", "any", "type"}
"""Functions that an assert may call. No method is among them: what it does is not to be seen where it is called."""

EFFECTS = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
"""What binds a name or gives way to others."""

WORLD = """
from tests.support.networks import Payer, end_mining, line_world

world, hosts = line_world(3, 3)
Payer(world, hosts[0], 0).pay_every(1.0, 20)
world.start()
world.run_until(lambda: hosts[0].node.queries.tip.height >= 5, 600)
hosts[1].crash()
hosts[1].start()
end_mining(world, hosts)
print(__debug__, world.trace.hexdigest(), world.trace.events)
"""


def effects(source: str) -> Iterator[int]:
    """Lines of asserts that do more than look at what is there."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            for part in ast.walk(node.test):
                calls = isinstance(part, ast.Call) and not (isinstance(part.func, ast.Name) and part.func.id in PURE)
                if calls or isinstance(part, EFFECTS):
                    yield node.lineno
                    break


@pytest.mark.parametrize(
    "line",
    [
        "assert step(7)",
        "assert heap.step(7), 'too late'",
        "assert len(queue.pop()) == 3",
        "assert (found := table[key])",
        "assert any(take(each) for each in things)",
    ],
)
def test_an_effect_is_seen(line: str) -> None:
    assert list(effects(f"x = 1\n{line}\n")) == [2]


@pytest.mark.parametrize(
    "line",
    ["assert x", "assert isinstance(x, int)", "assert len(a) == len(b.c) == 4", "assert a[0].b is not None, f()"],
)
def test_what_only_looks_is_allowed(line: str) -> None:
    """The message is worked out when the assert fails, and then the program ends."""
    assert list(effects(line)) == []


def test_no_assert_has_an_effect() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / "pychain").rglob("*.py"))
        for line in effects(path.read_text("utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


def output(*arguments: str) -> str:
    """What a Python process prints."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    return result.stdout


def test_a_world_is_the_same_without_asserts() -> None:
    kept, digest, events = output("-c", WORLD).split()
    assert (kept, int(events) > 500) == ("True", True)
    assert output("-O", "-c", WORLD).split() == ["False", digest, events]


def test_a_scenario_is_the_same_without_asserts() -> None:
    command = ("-m", "pychain", "sim", "run", "race", "--seed", "1", "--nodes", "3", "--set", "blocks=5")
    whole = output(*command)
    assert "digest" in whole
    assert output("-O", *command) == whole
