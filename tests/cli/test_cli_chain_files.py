"""Chains as files: exported while a node runs, imported into another directory, refused with one line if bad."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import astuple

from pychain.chain.address import encode_address
from pychain.chain.spec import packaged_spec
from pychain.store import LmdbStore
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.cli.run import Shell
from tests.daemon.process import Daemon

SPEC = packaged_spec("dev")
MINER = encode_address(SPEC.hrp, dev_key(9).public_key)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A node with thirty blocks, transfers in them."""
    with Daemon(tmp_path_factory.mktemp("files") / "node", network="dev").wait_ready() as daemon:
        for sequence in range(30):
            payment = Payment(dev_key(1).public_key, 150_000_000, 1000, b"")
            daemon.rpc("sendrawtransaction", sign_transfer(dev_key(0), SPEC.genesis_hash, sequence, payment).raw.hex())
            daemon.rpc("generatetoaddress", 1, MINER)
        yield daemon


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys, "--network", "dev")


@pytest.fixture
def exported(shell: Shell, node: Daemon, tmp_path: Path) -> Path:
    file = tmp_path / "chain.dat"
    said = shell.ok("chain", "export", str(file), "--datadir", str(node.datadir), "--json").json
    assert said == {"height": 30, "bytes": file.stat().st_size, "file": str(file)}
    return file


def state_in(directory: Path) -> tuple[bytes | None, list[tuple[int, int]]]:
    store = LmdbStore(directory, SPEC.genesis_hash, read_only=True)
    try:
        return store.tip(), [astuple(account) for account in store.accounts([dev_key(i).public_key for i in range(10)])]
    finally:
        store.close()


def test_a_chain_moves_from_one_directory_to_another(
    shell: Shell, node: Daemon, exported: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    assert shell.ok("chain", "import", str(exported), "--datadir", str(copy)).out == "the chain ends at height 30 now\n"
    assert state_in(copy) == state_in(node.datadir)
    assert shell.ok("chain", "import", str(exported), "--datadir", str(copy), "--json").json == {
        "height": 30,
        "best": True,
    }


def test_an_import_that_broke_off_goes_on(shell: Shell, node: Daemon, exported: Path, tmp_path: Path) -> None:
    copy, part = tmp_path / "copy", tmp_path / "part.dat"
    part.write_bytes(exported.read_bytes()[:5_000])
    assert "the file ends within record" in shell.fails(1, "chain", "import", str(part), "--datadir", str(copy))
    shell.ok("chain", "import", str(exported), "--datadir", str(copy))
    assert state_in(copy) == state_in(node.datadir)


def test_a_block_that_breaks_a_rule_is_named_and_what_came_before_it_stays(
    shell: Shell, exported: Path, tmp_path: Path
) -> None:
    copy, bad = tmp_path / "copy", tmp_path / "bad.dat"
    changed = bytearray(exported.read_bytes())
    changed[-10] ^= 1  # within the last transfer's signature: its block has another merkle root now
    bad.write_bytes(changed)
    line = shell.fails(1, "chain", "import", str(bad), "--datadir", str(copy))
    assert "the block after height 29 is refused" in line
    assert "bad-txnmrklroot" in line
    assert shell.ok("chain", "import", str(exported), "--datadir", str(copy), "--json").json == {
        "height": 30,
        "best": True,
    }


def test_a_directory_in_use_and_one_without_a_chain_are_refused(
    shell: Shell, node: Daemon, exported: Path, tmp_path: Path
) -> None:
    assert "another node" in shell.fails(1, "chain", "import", str(exported), "--datadir", str(node.datadir))
    assert "holds no store" in shell.fails(2, "chain", "export", str(tmp_path / "x"), "--datadir", str(tmp_path / "no"))
    assert not (tmp_path / "x").exists()
