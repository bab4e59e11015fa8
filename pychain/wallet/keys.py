"""Ed25519 keys (RFC 8032). The account *is* the public key; signing is libsodium's, through PyNaCl."""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol

from nacl.signing import SigningKey

from pychain.base.entropy import Entropy
from pychain.wallet.errors import WalletError

SEED_BYTES = 32
DEV_KEYS = 10
"""Keys that the `dev` network's genesis funds."""


class Signer(Protocol):
    """The signer of an account: its key, or an agent that has it."""

    @property
    def public_key(self) -> bytes:
        """The account, 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of `message`."""
        ...


class PrivateKey:
    """A key pair, made from its 32-byte seed. No text form shows the seed, so it cannot reach a log by accident."""

    __slots__ = ("_public_key", "_signing_key")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise WalletError(f"a key's seed has {SEED_BYTES} bytes, not {len(seed)}")
        self._signing_key = SigningKey(seed)
        self._public_key = bytes(self._signing_key.verify_key)

    @classmethod
    def generate(cls, entropy: Entropy) -> PrivateKey:
        """A fresh key."""
        return cls(entropy.bytes(SEED_BYTES))

    @property
    def public_key(self) -> bytes:
        """The account, 32 bytes."""
        return self._public_key

    @property
    def seed(self) -> bytes:
        """The secret itself, only for a keystore."""
        return bytes(self._signing_key)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of `message`."""
        return self._signing_key.sign(message).signature

    def __repr__(self) -> str:
        return f"<PrivateKey of {self.public_key.hex()}>"


def dev_key(index: int) -> PrivateKey:
    """Well-known key 0 to 9: the seed is sha256("pychain/dev/" + index). Everyone has it: only for play money."""
    if not 0 <= index < DEV_KEYS:
        raise WalletError(f"there are dev keys 0 to {DEV_KEYS - 1}, not {index}")
    return PrivateKey(sha256(b"pychain/dev/" + str(index).encode()).digest())
