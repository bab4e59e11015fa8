"""Keys derived from a seed: SLIP-0010 for Ed25519, where every step is hardened.

Account i of a wallet is at m/44'/7371107'/i' (BIP 44 down to the account; below it nothing is needed, since an account
*is* its key). The coin type is "pyc" in ASCII and not in SLIP-0044's list. All networks share it: every
signature covers the genesis hash, so they stay apart.
"""

from __future__ import annotations

import hmac
import re

from pychain.wallet.errors import WalletError
from pychain.wallet.keys import PrivateKey

PURPOSE = 44
COIN_TYPE = int.from_bytes(b"pyc", "big")
MAX_INDEX = 2**31 - 1
_HARDENED = 2**31
_MAX_DEPTH = 255
"""As in BIP 32, whose serialisation has one byte for it."""
_CURVE = b"ed25519 seed"
_PATH = re.compile(r"m(/(0|[1-9][0-9]{0,9})')*", re.ASCII)


class ExtendedKey:
    """A key of the tree: the seed of an Ed25519 key, and the chain code from which its children are derived. Both are
    secret, so no text form shows them."""

    __slots__ = ("chain_code", "seed")

    def __init__(self, seed: bytes, chain_code: bytes) -> None:
        self.seed = seed
        self.chain_code = chain_code

    @property
    def private_key(self) -> PrivateKey:
        return PrivateKey(self.seed)

    def child(self, index: int) -> ExtendedKey:
        """The hardened child of that index, 0 to 2^31 - 1."""
        if not 0 <= index <= MAX_INDEX:
            raise WalletError(f"a derivation index is 0 to {MAX_INDEX}, not {index}")
        return _split(self.chain_code, b"\0" + self.seed + (index + _HARDENED).to_bytes(4, "big"))

    def __repr__(self) -> str:
        return "<ExtendedKey>"


def master_key(seed: bytes) -> ExtendedKey:
    """The root key of a seed (BIP 39 gives one of 64 bytes)."""
    return _split(_CURVE, seed)


def derive(seed: bytes, path: str) -> ExtendedKey:
    """The key at a path like m/44'/7371107'/0'."""
    key = master_key(seed)
    for index in parse_path(path):
        key = key.child(index)
    return key


def parse_path(path: str) -> tuple[int, ...]:
    """The indices of a path, all hardened, without the marks."""
    if not _PATH.fullmatch(path):
        raise WalletError("a derivation path looks like m/44'/7371107'/0': every step is hardened under Ed25519")
    indices = tuple(int(step[:-1]) for step in path.split("/")[1:])
    if len(indices) > _MAX_DEPTH or any(index > MAX_INDEX for index in indices):
        raise WalletError(f"a derivation path has at most {_MAX_DEPTH} steps, none over {MAX_INDEX}")
    return indices


def account_path(index: int) -> str:
    """The path of account `index`."""
    return f"m/{PURPOSE}'/{COIN_TYPE}'/{index}'"


def account_key(seed: bytes, index: int) -> PrivateKey:
    """The key of account `index`."""
    return derive(seed, account_path(index)).private_key


def _split(key: bytes, data: bytes) -> ExtendedKey:
    digest = hmac.digest(key, data, "sha512")
    return ExtendedKey(digest[:32], digest[32:])
