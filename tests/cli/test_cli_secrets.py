"""Secrets stay where they belong: nothing prints, logs or writes one unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pychain.chain.address import encode_address
from pychain.chain.spec import packaged_spec
from pychain.keystore.unlocked import lock
from pychain.wallet.derivation import account_key
from pychain.wallet.keys import dev_key
from pychain.wallet.mnemonic import seed_of
from tests.cli.run import Shell
from tests.daemon.process import Daemon

SPEC = packaged_spec("dev")
PASSWORD = "correct horse battery"
PAYEE = encode_address(SPEC.hrp, dev_key(7).public_key)


def test_no_secret_is_shown_unasked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of a wallet, including failures, with a node that logs everything."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong").write_text("battery staple")
    datadir = tmp_path / "node"
    with Daemon(datadir, network="dev", log_level="debug").wait_ready() as node:
        shell = Shell(capsys, "--network", "dev", "--datadir", str(datadir))
        monkeypatch.setenv("PYCHAIN_PASSWORD", PASSWORD)
        made = shell.ok("wallet", "create", "--kdf", "interactive", "--json").json
        mnemonic = made["mnemonic"]
        seed = account_key(seed_of(mnemonic), 0).seed
        node.rpc("generatetoaddress", 2, made["address"])
        said = []
        try:
            for words in (
                ["wallet", "list"],
                ["wallet", "address", "--new", "rent"],
                ["wallet", "address", "--new", "rent"],
                ["wallet", "balance"],
                ["wallet", "send", PAYEE, "1", "--password-file", "wrong"],
                ["wallet", "unlock"],
                ["wallet", "send", PAYEE, "1", "--fee", "0.001", "--json"],
                ["wallet", "send", PAYEE, "1", "--offline", "--json"],
                ["wallet", "broadcast", "transfer-1.json"],
                ["wallet", "sign", "transfer-1.json", "--yes"],
                ["wallet", "bump", "00" * 32],
                ["wallet", "history"],
                ["wallet", "import", "wrong", "--key-file", "wrong"],
                ["wallet", "restore", "wrong", "--mnemonic-file", "wrong"],
                ["wallet", "password", "--new-password-file", "wrong", "--password-file", "wrong"],
                ["stamp", "wrong", "--no-wait"],
                ["rpc", "sendrawtransaction", seed.hex()[:20]],
            ):
                result = shell(*words)
                assert "Traceback" not in result.err
                said.append(result.out + result.err)
        finally:
            lock(datadir / "wallets", "default")
        assert node.stop() == 0
        said.append(node.log)
    secrets = [PASSWORD, "battery staple", seed.hex(), mnemonic, " ".join(mnemonic.split()[:2])]
    for text in said:
        assert not [secret for secret in secrets if secret in text], text
    for path in [*datadir.rglob("*"), tmp_path / "transfer-1.json"]:
        if path.is_file():
            content = path.read_bytes()
            assert seed not in content, path
            assert not [secret for secret in secrets if secret.encode() in content], path
