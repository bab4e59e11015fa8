"""The wallet file: JSON, version 2.

    {"format": "pychain-wallet", "version": 2,
     "accounts": [{"label": "main", "public_key": "<32 bytes, hex>", "path": "m/44'/7371107'/0'"},
                  {"label": "from elsewhere", "public_key": "..."},
                  {"label": "cold", "public_key": "...", "watched": true}, ...],
     "box": {"kdf": {"name": "argon2id", "operations": 3, "memory": 268435456, "salt": "<16 bytes, hex>"},
             "sealed": "<24 bytes nonce, then ciphertext, hex>"}}

`path` is where a key is derived from the mnemonic; a watch-only wallet has no `box`. The box holds the JSON

    {"accounts": [<as above>], "mnemonic": "...", "passphrase": "...", "seeds": {"from elsewhere": "<32 bytes, hex>"}}

Version 1 had no mnemonics: `kdf` and the box's hex were at the top level, and the box held
`[{"label": ..., "seed": ...}]`. It can still be read, and becomes version 2 at the next change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from pychain.keystore.accounts import MAX_ACCOUNTS, AccountName, check_label
from pychain.keystore.errors import KeystoreError
from pychain.keystore.kdf import MAX_MEMORY, MAX_OPERATIONS, MIN_MEMORY, MIN_OPERATIONS, KdfCost
from pychain.keystore.sealed import Box, Row, SealedWallet
from pychain.wallet.derivation import parse_path
from pychain.wallet.errors import WalletError

VERSIONS = (1, 2)
MAX_FILE_BYTES = 2 * 1024 * 1024
"""A thousand imported accounts with the longest labels fit; a larger file is refused before it is parsed."""

_Hex = Annotated[str, msgspec.Meta(max_length=MAX_FILE_BYTES, pattern="^([0-9a-f]{2})+$")]
_Rows = Annotated[list[Row], msgspec.Meta(min_length=1, max_length=MAX_ACCOUNTS)]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The parts of the JSON text."""


class _Kdf(_File):
    name: Literal["argon2id"]
    operations: Annotated[int, msgspec.Meta(ge=MIN_OPERATIONS, le=MAX_OPERATIONS)]
    memory: Annotated[int, msgspec.Meta(ge=MIN_MEMORY, le=MAX_MEMORY)]
    salt: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class _Box(_File):
    kdf: _Kdf
    sealed: _Hex


class _Version1(_File):
    format: Literal["pychain-wallet"]
    version: Literal[1]
    kdf: _Kdf
    accounts: _Rows
    box: _Hex


class _Version2(_File, omit_defaults=True):
    format: Literal["pychain-wallet"]
    version: Literal[2]
    accounts: _Rows
    box: _Box | None = None


class _Opening(msgspec.Struct):
    """Only the wallet's version; the rest is ignored."""

    format: Literal["pychain-wallet"]
    version: int


def encode(wallet: SealedWallet) -> bytes:
    """The file's bytes, in the newest version; a box of version 1 has to be sealed again first."""
    box = None
    if wallet.box is not None:
        assert wallet.box.version == VERSIONS[-1]
        cost = wallet.box.cost
        kdf = _Kdf("argon2id", cost.operations, cost.memory, wallet.box.salt.hex())
        box = _Box(kdf, wallet.box.sealed.hex())
    file = _Version2("pychain-wallet", 2, [Row.of(account) for account in wallet.accounts], box)
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def decode(data: bytes) -> SealedWallet:
    """The wallet in a file's bytes; KeystoreError for anything else, before any cost of the KDF is paid."""
    if len(data) > MAX_FILE_BYTES:
        raise KeystoreError(f"a wallet file has at most {MAX_FILE_BYTES} bytes")
    try:
        version = msgspec.json.decode(data, type=_Opening).version
        if version not in VERSIONS:
            raise KeystoreError(f"the wallet file has version {version}, this program reads 1 and 2")
        wallet = _version_1(data) if version == 1 else _version_2(data)
        _check(wallet.accounts)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, WalletError) as error:
        raise KeystoreError(f"not a wallet file: {error}") from None
    if wallet.box is None and not all(account.watched for account in wallet.accounts):
        raise KeystoreError("not a wallet file: it has no secrets, and accounts that are not only watched")
    return wallet


def _version_1(data: bytes) -> SealedWallet:
    file = msgspec.json.decode(data, type=_Version1)
    return SealedWallet(tuple(row.account for row in file.accounts), _box(file.kdf, file.box, 1))


def _version_2(data: bytes) -> SealedWallet:
    file = msgspec.json.decode(data, type=_Version2)
    box = None if file.box is None else _box(file.box.kdf, file.box.sealed, 2)
    return SealedWallet(tuple(row.account for row in file.accounts), box)


def _box(kdf: _Kdf, sealed: str, version: int) -> Box:
    return Box(KdfCost(kdf.operations, kdf.memory), bytes.fromhex(kdf.salt), bytes.fromhex(sealed), version)


def _check(accounts: Sequence[AccountName]) -> None:
    for account in accounts:
        check_label(account.label)
        if account.path is not None:
            parse_path(account.path)
    if len({account.label for account in accounts}) != len(accounts):
        raise KeystoreError("the wallet file uses a label twice")
