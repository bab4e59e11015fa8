"""The node's identity: an Ed25519 key in the data directory, and its libp2p peer id.

https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md: an Ed25519 id is the base58 of the identity multihash
of the key's protobuf form.
"""

from __future__ import annotations

import os
from pathlib import Path

from nacl.signing import SigningKey

from pychain.base.entropy import Entropy
from pychain.base.errors import ConfigError

KEY_FILE = "node.key"
SEED_BYTES = 32
_PEER_ID_PREFIX = bytes((0x00, 0x24, 0x08, 0x01, 0x12, 0x20))
"""Identity multihash of 36 bytes: protobuf field 1 (type) Ed25519, field 2 (data) of 32 bytes."""
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def load_identity(datadir: Path, entropy: Entropy) -> SigningKey:
    """The key of this data directory, made at the first start. ConfigError if the file is damaged."""
    path = datadir / KEY_FILE
    try:
        seed = path.read_bytes()
    except FileNotFoundError:
        seed = entropy.bytes(SEED_BYTES)
        _write_private(path, seed)
    if len(seed) != SEED_BYTES:
        raise ConfigError(f"{path} is not a node key: it has {len(seed)} bytes, not {SEED_BYTES}")
    return SigningKey(seed)


def peer_id(public_key: bytes) -> str:
    """The libp2p peer id (`12D3KooW...`) of a 32-byte Ed25519 public key."""
    multihash = _PEER_ID_PREFIX + public_key
    number = int.from_bytes(multihash, "big")
    digits = ""
    while number:
        number, digit = divmod(number, len(_BASE58))
        digits = _BASE58[digit] + digits
    zeros = len(multihash) - len(multihash.lstrip(b"\0"))
    return _BASE58[0] * zeros + digits


def _write_private(path: Path, content: bytes) -> None:
    """Write a file atomically, readable only by its owner."""
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
