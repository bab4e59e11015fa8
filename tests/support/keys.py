"""Keys of the tests: deterministic Ed25519 signers, signing with PyNaCl."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from nacl.signing import SigningKey

from tests.support import wire


class Signer:
    """An account that can sign."""

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self.seed = seed
        self.key: bytes = self._key.verify_key.encode()
        """The public key, which is the account."""

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message).signature

    def transfer(
        self, genesis_hash: bytes, sequence: int, recipient: bytes, amount: int, fee: int = 0, memo: bytes = b""
    ) -> bytes:
        """A raw signed transfer from this account."""
        body = wire.transfer_body(self.key, sequence, recipient, amount, fee, memo)
        return body + self.sign(wire.signing_message(genesis_hash, body))


@lru_cache(maxsize=256)
def signer(name: str) -> Signer:
    """The signer of a name, the same in every run."""
    return Signer(sha256(b"pychain/tests/" + name.encode()).digest())


@lru_cache(maxsize=16)
def dev_signer(index: int) -> Signer:
    """Funded key `index` (0 to 9) of the packaged network `dev`."""
    return Signer(sha256(b"pychain/dev/" + str(index).encode()).digest())
