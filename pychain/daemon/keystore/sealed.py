"""The wallet file: labels and public keys in the clear, seeds in a box that a password opens.

JSON, version 1:

    {"format": "pychain-wallet", "version": 1,
     "kdf": {"name": "argon2id", "operations": 3, "memory": 268435456, "salt": "<16 bytes, hex>"},
     "accounts": [{"label": "main", "public_key": "<32 bytes, hex>"}, ...],
     "box": "<24 bytes nonce, then ciphertext, hex>"}

The box is libsodium's secretbox (XSalsa20-Poly1305) under Argon2id(password, salt), around the JSON
`[{"label": "main", "seed": "<32 bytes, hex>"}, ...]`. Balances and addresses so need no password; and since the box
repeats the labels, and the seeds give the keys, nobody who can write the file can make a wallet show other accounts
than its own without `unlock` noticing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import msgspec
from nacl import exceptions, utils
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from pychain.base.errors import DecodeError
from pychain.wallet.keys import PrivateKey

DEFAULT_LABEL = "main"
MAX_ACCOUNTS = 1_000
MAX_LABEL_CHARACTERS = 64
MAX_FILE_BYTES = 512 * 1024
"""A thousand accounts with the longest labels fit; a larger file is refused before it is parsed."""


class KeystoreError(DecodeError):
    """A wallet cannot be read, opened or written; one line says why."""


class WrongPasswordError(KeystoreError):
    """The password does not open the box."""

    def __init__(self) -> None:
        super().__init__("wrong password")


class KdfCost(NamedTuple):
    """What one guess at a password costs: passes over the memory, and its bytes."""

    operations: int
    memory: int


COSTS: Mapping[str, KdfCost] = {
    "interactive": KdfCost(argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE),
    "moderate": KdfCost(argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE),
    "sensitive": KdfCost(argon2id.OPSLIMIT_SENSITIVE, argon2id.MEMLIMIT_SENSITIVE),
}
"""libsodium's three recommendations: 64 MiB, 256 MiB and 1 GiB."""
DEFAULT_COST = COSTS["moderate"]
MAX_OPERATIONS = 4 * argon2id.OPSLIMIT_SENSITIVE
MAX_MEMORY = argon2id.MEMLIMIT_SENSITIVE
"""The dearest that this program writes: a hostile file cannot ask for more memory or for hours."""

_MAX_BOX_BYTES = MAX_FILE_BYTES // 2
_Label = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_LABEL_CHARACTERS)]
_Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The parts of the JSON text."""


class _Kdf(_File):
    name: Literal["argon2id"]
    operations: Annotated[int, msgspec.Meta(ge=argon2id.OPSLIMIT_MIN, le=MAX_OPERATIONS)]
    memory: Annotated[int, msgspec.Meta(ge=argon2id.MEMLIMIT_MIN, le=MAX_MEMORY)]
    salt: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class _Account(_File):
    label: _Label
    public_key: _Hex32


class _Version1(_File):
    format: Literal["pychain-wallet"]
    version: Literal[1]
    kdf: _Kdf
    accounts: Annotated[list[_Account], msgspec.Meta(min_length=1, max_length=MAX_ACCOUNTS)]
    box: Annotated[str, msgspec.Meta(max_length=2 * _MAX_BOX_BYTES, pattern="^([0-9a-f]{2})+$")]


class _Secret(_File):
    label: _Label
    seed: _Hex32


class _Opening(msgspec.Struct):
    """What tells a wallet's version, whatever else is in it."""

    format: Literal["pychain-wallet"]
    version: int


@dataclass(frozen=True, slots=True)
class AccountName:
    """One account as it is known without the password."""

    label: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class SealedWallet:
    """A wallet whose seeds are in their box."""

    cost: KdfCost
    salt: bytes
    accounts: tuple[AccountName, ...]
    box: bytes

    def account(self, label: str) -> AccountName:
        """The account of that label; KeystoreError where there is none."""
        for account in self.accounts:
            if account.label == label:
                return account
        labels = ", ".join(account.label for account in self.accounts)
        raise KeystoreError(f"the wallet has no account '{label}'; it has {labels}")

    def unlock(self, password: str) -> dict[str, PrivateKey]:
        """The keys by label. WrongPasswordError, or KeystoreError where the clear part was tampered with."""
        box = SecretBox(_derive(password, self.salt, self.cost))
        try:
            secrets = msgspec.json.decode(box.decrypt(self.box), type=list[_Secret])
        except exceptions.CryptoError:
            raise WrongPasswordError from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise KeystoreError("the wallet's box holds no list of seeds") from None
        keys = {secret.label: PrivateKey(bytes.fromhex(secret.seed)) for secret in secrets}
        if tuple(AccountName(label, key.public_key) for label, key in keys.items()) != self.accounts:
            raise KeystoreError("the wallet's accounts are not those of its seeds: somebody changed the file")
        return keys

    def encode(self) -> bytes:
        """The file's bytes."""
        file = _Version1(
            "pychain-wallet",
            1,
            _Kdf("argon2id", self.cost.operations, self.cost.memory, self.salt.hex()),
            [_Account(account.label, account.public_key.hex()) for account in self.accounts],
            self.box.hex(),
        )
        return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def seal(keys: Mapping[str, PrivateKey], password: str, cost: KdfCost = DEFAULT_COST) -> SealedWallet:
    """Put keys, by label and in this order, into a box with a fresh salt and nonce."""
    if not 1 <= len(keys) <= MAX_ACCOUNTS:
        raise KeystoreError(f"a wallet has 1 to {MAX_ACCOUNTS} accounts")
    if not password:
        raise KeystoreError("the password is empty")
    for label in keys:
        check_label(label)
    salt = utils.random(argon2id.SALTBYTES)
    secrets = [_Secret(label, key.seed.hex()) for label, key in keys.items()]
    box = SecretBox(_derive(password, salt, cost)).encrypt(msgspec.json.encode(secrets))
    accounts = tuple(AccountName(label, key.public_key) for label, key in keys.items())
    return SealedWallet(cost, salt, accounts, bytes(box))


def decode(data: bytes) -> SealedWallet:
    """The wallet in a file's bytes; KeystoreError for anything else, before any cost of the KDF is paid."""
    if len(data) > MAX_FILE_BYTES:
        raise KeystoreError(f"a wallet file has at most {MAX_FILE_BYTES} bytes")
    try:
        opening = msgspec.json.decode(data, type=_Opening)
        if opening.version != 1:
            raise KeystoreError(f"the wallet file has version {opening.version}, this program knows 1")
        file = msgspec.json.decode(data, type=_Version1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise KeystoreError(f"not a wallet file: {error}") from None
    accounts = tuple(AccountName(account.label, bytes.fromhex(account.public_key)) for account in file.accounts)
    for account in accounts:
        check_label(account.label)
    if len({account.label for account in accounts}) != len(accounts):
        raise KeystoreError("the wallet file uses a label twice")
    cost = KdfCost(file.kdf.operations, file.kdf.memory)
    return SealedWallet(cost, bytes.fromhex(file.kdf.salt), accounts, bytes.fromhex(file.box))


def check_label(label: str) -> None:
    """A label is one line that a terminal can print."""
    if not label.isprintable() or label != label.strip() or not 1 <= len(label) <= MAX_LABEL_CHARACTERS:
        raise KeystoreError(f"a label is 1 to {MAX_LABEL_CHARACTERS} printable characters without blanks at its ends")


def _derive(password: str, salt: bytes, cost: KdfCost) -> bytes:
    """The box's key. One password typed on two systems is the same: NFKC; bytes that are no text stay as they are."""
    secret = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogateescape")
    try:
        return argon2id.kdf(SecretBox.KEY_SIZE, secret, salt, cost.operations, cost.memory)
    except (exceptions.RuntimeError, MemoryError):
        raise KeystoreError(f"opening the wallet takes {cost.memory >> 20} MiB of memory, which are not free") from None
