"""The benchmark command: its documented shape, its rows, and that it leaves the kernel as it was."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from pychain import native
from tests.cli.run import Shell


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys, "--seconds", "0.005")


def kernels(prefix: str) -> list[str]:
    return [name for name in native.kernels() if name.startswith(prefix)] if native.compiled else []


def test_the_report_has_its_documented_shape(shell: Shell) -> None:
    before = native.kernel
    report = shell.ok("bench", "--json").json
    assert native.kernel == before
    assert set(report) == {"cpu", "features", "compiler", "load", "rows"}
    assert report["cpu"] == native.cpu().name
    rows = report["rows"]
    names = {suite: [row["name"] for row in rows if row["benchmark"] == suite] for suite in ("mining", "hashing")}
    for found in names.values():
        assert found == ["hashlib", "reference", *kernels("sha256:")]
    signatures = [row["name"] for row in rows if row["benchmark"] == "signatures"]
    openssl = ["openssl"] if find_spec("cryptography") else []
    assert signatures == ["libsodium", *openssl, "reference", *kernels("ed25519:")]
    for suite in ("signatures, 64 a call", "signatures, 1,000 a call", "signatures, one of 1,000 bad"):
        assert [row["name"] for row in rows if row["benchmark"] == suite] == kernels("ed25519:")
    for row in rows:
        assert 0 < row["min"] <= row["median"] <= row["max"]
        ratio = "ratio_to_libsodium" if row["benchmark"].startswith("signatures") else "ratio_to_hashlib"
        assert set(row) == {"benchmark", "name", "unit", "median", "min", "max", ratio}
        assert (row["name"] not in ("hashlib", "libsodium")) or row[ratio] == 1


def test_suites_can_be_chosen(shell: Shell) -> None:
    assert {row["benchmark"] for row in shell.ok("bench", "hashing", "--json").json["rows"]} == {"hashing"}


def test_the_table_names_the_machine_and_every_row(shell: Shell) -> None:
    shown = shell.ok("bench", "mining").out
    assert native.cpu().name in shown
    for name in ("hashlib", "reference", *kernels("sha256:")):
        assert name in shown
