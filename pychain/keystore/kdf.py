"""From a password to a key: libsodium's Argon2id, with the costs named in the wallet file."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from nacl import exceptions
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from pychain.keystore.errors import KeystoreError

SALT_BYTES = argon2id.SALTBYTES


class KdfCost(NamedTuple):
    """The cost of one guess at a password: passes over the memory, and its bytes."""

    operations: int
    memory: int


COSTS: Mapping[str, KdfCost] = MappingProxyType(
    {
        "interactive": KdfCost(argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE),
        "moderate": KdfCost(argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE),
        "sensitive": KdfCost(argon2id.OPSLIMIT_SENSITIVE, argon2id.MEMLIMIT_SENSITIVE),
    }
)
"""libsodium's three recommendations: 64 MiB, 256 MiB and 1 GiB."""
DEFAULT_COST = COSTS["moderate"]
MIN_OPERATIONS = argon2id.OPSLIMIT_MIN
MIN_MEMORY = argon2id.MEMLIMIT_MIN
MAX_OPERATIONS = 4 * argon2id.OPSLIMIT_SENSITIVE
MAX_MEMORY = argon2id.MEMLIMIT_SENSITIVE
"""The highest that this program writes: a hostile file cannot ask for more memory or for hours."""


def box_key(password: str, salt: bytes, cost: KdfCost) -> bytes:
    """The key of a wallet's box.

    NFKC makes a password the same on every system; bytes that are not text stay unchanged.
    """
    secret = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogateescape")
    try:
        return argon2id.kdf(SecretBox.KEY_SIZE, secret, salt, cost.operations, cost.memory)
    except (exceptions.RuntimeError, MemoryError):
        raise KeystoreError(f"opening the wallet takes {cost.memory >> 20} MiB of memory, which are not free") from None
