"""No room: a message of one line, the last commit stands, and a store reopened with more room keeps working."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pychain.ledger.memory_store import MemoryStore
from pychain.store import LmdbStore
from pychain.store.environment import SMALL_MAP_BYTES
from tests.store.batches import GENESIS, Series, assert_same, counter
from tests.store.children import findings

DISK_MIB = 12


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("bodies", r"cannot write blocks in .*: File too large"),
        ("accounts", r"cannot write the index in .*/state: (File too large|No space left on device)"),
    ],
)
def test_a_file_at_its_size_limit(tmp_path: Path, what: str, line: str) -> None:
    found = findings("fill", tmp_path, what)
    assert re.fullmatch(line, found["line"])
    assert found["refused"] == found["line"]
    assert found["shown"] == found["committed"]
    store, series = LmdbStore(tmp_path, GENESIS), Series()
    assert counter(store) == found["committed"]
    if what == "bodies":
        model = MemoryStore()
        for number in range(found["committed"] + 1):
            model.commit(series.batch(number))
        model.advance()
        assert_same(store, model, series)
    store.commit(series.batch(found["committed"] + 1))
    store.advance()
    assert counter(store) == found["committed"] + 1
    store.close()


def small_disk(directory: Path) -> list[str]:
    """The start of a command that runs with its own small file system on `directory`, which ends with the process."""
    mount = f'mount -t tmpfs -o size={DISK_MIB}m tmpfs \'{directory}\' && exec "$0" "$@"'
    for unshare in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        command = [*unshare, "sh", "-c", mount]
        if (
            shutil.which("unshare")
            and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
        ):
            return command
    pytest.skip("this system does not let users mount a tmpfs; the size limits above test the same path")


def test_a_full_disk(tmp_path: Path) -> None:
    found = findings("fill_and_go_on", tmp_path, before=small_disk(tmp_path))
    assert found["committed"] > 10
    assert re.fullmatch(r"cannot write (blocks|the index) in .*: No space left on device", found["line"])
    assert found["refused"] == found["line"]


def test_address_space_is_a_limit_like_any_other(tmp_path: Path) -> None:
    """If the first map is too large, a small one grows as far as possible; written data stays readable."""
    found = findings("little_address_space", tmp_path)
    assert found["first"] == SMALL_MAP_BYTES
    assert found["last"] > SMALL_MAP_BYTES
    assert len(found["kept"]) * 4 > SMALL_MAP_BYTES >> 20
    assert all(found["kept"])
    assert re.fullmatch(r"no address space is left to map more than \d+ bytes of .*", found["line"])
