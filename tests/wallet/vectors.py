"""Published vectors, read from the files beside this one, which name their source."""

from __future__ import annotations

import json
from pathlib import Path

_BIP39 = json.loads(Path(__file__).with_name("bip39.json").read_text("utf-8"))
_SLIP10 = json.loads(Path(__file__).with_name("slip10.json").read_text("utf-8"))

BIP39_PASSPHRASE: str = _BIP39["passphrase"]
BIP39: list[tuple[str, str, str]] = [tuple(row) for row in _BIP39["vectors"]]
"""Entropy, words, seed."""
SLIP10: dict[str, list[tuple[str, str, str, str]]] = {
    seed: [tuple(row) for row in rows] for seed, rows in _SLIP10["vectors"].items()
}
"""Seed -> path, chain code, private key, public key."""
