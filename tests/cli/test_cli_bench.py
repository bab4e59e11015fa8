"""The benchmark command: its documented form, its rows, its chart, and that it restores the kernel."""

from __future__ import annotations

import hashlib
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pychain import native
from pychain.cli.bench import python_sha256
from pychain.cli.bench.measure import REPEATS, measure
from pychain.cli.bench.scale import short
from tests.cli.run import Shell
from tests.cli.terminal import Terminal


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys, "--seconds", "0.005")


def kernels(prefix: str) -> list[str]:
    return [name for name in native.kernels() if name.startswith(prefix)] if native.compiled else []


def test_the_report_has_its_documented_shape(shell: Shell, tmp_path: Path) -> None:
    before, picture = native.kernel, tmp_path / "all.svg"
    report = shell.ok("bench", "--json", "--plot", str(picture)).json
    assert native.kernel == before
    assert list(report) == ["cpu", "features", "compiler", "load", "rows"]
    assert report["cpu"] == native.cpu().name
    names: dict[str, list[str]] = {}
    for row in report["rows"]:
        names.setdefault(row["benchmark"], []).append(row["name"])
    sha256, ed25519 = kernels("sha256:"), kernels("ed25519:")
    expected = {
        "mining": ["hashlib", "reference", "python", *sha256],
        f"mining, {native.MAX_VERSIONS} versions": sha256,
        "hashing": ["hashlib", "reference", "python", *sha256],
        "hashing, 10,000 a call": sha256,
        "merkle root of 10,000": ["hashlib", *sha256],
        "signatures": ["libsodium", "openssl", "reference", *ed25519],
        "signatures, 64 a call": ed25519,
        "signatures, 1,000 a call": ed25519,
        "signatures, one of 1,000 bad": ed25519,
        "chain, a block of 1,000 transfers": ["libsodium", "openssl", "reference", *ed25519],
    }
    assert names == {benchmark: rows for benchmark, rows in expected.items() if rows}
    for row in report["rows"]:
        assert 0 < row["min"] <= row["median"] <= row["max"]
        library, python = (
            ("libsodium", "reference")
            if row["benchmark"].startswith(("signatures", "chain"))
            else ("hashlib", "python")
        )
        ratios = {f"ratio_to_{library}"} | ({"ratio_to_python"} if row["unit"] != "leaves/s" else set())
        assert set(row) == {"benchmark", "name", "unit", "median", "min", "max"} | ratios
        assert row["name"] != library or row[f"ratio_to_{library}"] == 1
        assert row["name"] != python or row["ratio_to_python"] == 1
    drawn = picture.read_text(encoding="utf-8")
    assert all(f"<!-- {row['name']} -->" in drawn for row in report["rows"])


def test_suites_can_be_chosen(shell: Shell) -> None:
    rows = shell.ok("bench", "hashing", "hashing", "--json").json["rows"]
    assert [row["name"] for row in rows if row["benchmark"] == "hashing"].count("hashlib") == 1
    assert all(row["benchmark"].startswith(("hashing", "merkle")) for row in rows)


def test_the_table_names_the_machine_and_every_row(shell: Shell) -> None:
    shown = shell.ok("bench", "mining").out
    assert native.cpu().name in shown
    for name in ("hashlib", "reference", "python", *kernels("sha256:")):
        assert f"\n  {name} " in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_progress_is_shown_on_terminals_alone(shell: Shell) -> None:
    assert shell.ok("bench", "mining").err == ""
    with Terminal("bench", "mining", "--seconds", "0.005") as terminal:
        terminal.wait_for("mining: hashlib")
        terminal.wait_for("pure Python")
        assert terminal.end() == 0


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("rates.txt", "the file name must end in"),
        ("rates", "the file name must end in"),
        ("nowhere/rates.png", "no such directory"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_is_measured(
    shell: Shell, tmp_path: Path, path: str, complaint: str
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    result = shell("bench", "--plot", str(pictures / path))
    assert result.code == 2
    assert complaint in result.err
    assert result.out == ""
    assert list(pictures.iterdir()) == []


def test_a_plot_without_matplotlib_says_what_to_install(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pychain.cli.bench.plot", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = shell("bench", "--plot", "rates.png")
    assert result.code == 2
    assert "pip install 'pychain-node[plot]'" in result.err


def test_a_rate_counts_whole_calls_however_long_they_take() -> None:
    """Each call is one of 1,000 units and takes all the available time."""
    calls: list[int] = []

    def work(count: int) -> None:
        calls.append(count)
        begin = time.thread_time()
        while time.thread_time() - begin < 0.002 * count:
            pass

    rate = measure(work, 1000, 0.001)
    assert calls == [1] * (1 + REPEATS)
    assert 0 < rate.least <= rate.median <= rate.most <= 1000 / 0.002


def test_python_sha256_is_sha256() -> None:
    for size in (*range(130), 1000):
        message = bytes(i % 251 for i in range(size))
        assert python_sha256.sha256(message) == hashlib.sha256(message).digest()


def test_short_numbers() -> None:
    known = {
        1: "1.00",
        0.00345: "0.00345",
        950: "950",
        999.6: "1.00 k",
        37.44e6: "37.4 M",
        1e9: "1.00 G",
        5e12: "5000 G",
    }
    assert {number: short(number) for number in known} == known
    sizes = [short(10**n) for n in range(-3, 13)]
    assert all(one != other for one, other in pairwise(sizes))
