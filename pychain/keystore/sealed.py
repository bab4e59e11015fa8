"""Sealing: a wallet's secrets are in a box encrypted with a password, its accounts' names and public keys in the clear.

The box is libsodium's secretbox (XSalsa20-Poly1305) with the key Argon2id(password, salt). Balances and addresses need
no password. The box repeats the accounts, and its secrets determine their keys: if anyone writes other accounts into
the file, `unlock` notices. A watch-only wallet has no box.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
from nacl import exceptions, utils
from nacl.secret import SecretBox

from pychain.keystore.accounts import MAX_ACCOUNTS, AccountName, OpenWallet
from pychain.keystore.errors import KeystoreError, WrongPasswordError
from pychain.keystore.kdf import DEFAULT_COST, SALT_BYTES, KdfCost, box_key
from pychain.wallet.errors import WalletError
from pychain.wallet.keys import PrivateKey

Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Row(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An account as files have it."""

    label: str
    public_key: Hex32
    path: str | None = None
    watched: bool = False

    @classmethod
    def of(cls, account: AccountName) -> Row:
        return cls(account.label, account.public_key.hex(), account.path, account.watched)

    @property
    def account(self) -> AccountName:
        return AccountName(self.label, bytes.fromhex(self.public_key), self.path, self.watched)


class _Secrets(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The content of a box since version 2. `seeds`: of imported accounts, by label."""

    accounts: Annotated[list[Row], msgspec.Meta(max_length=MAX_ACCOUNTS)]
    mnemonic: str | None = None
    passphrase: str = ""
    seeds: dict[str, Hex32] = {}


class _Secret(msgspec.Struct, forbid_unknown_fields=True):
    """A row of a box of version 1, which had no mnemonics."""

    label: str
    seed: Hex32


@dataclass(frozen=True, slots=True)
class Box:
    """Encrypted secrets: `sealed` is the nonce (24 bytes) and the ciphertext. `version` gives the format of the
    content."""

    cost: KdfCost
    salt: bytes
    sealed: bytes
    version: int = 2


@dataclass(frozen=True, slots=True)
class SealedWallet:
    """A wallet as it is on disk. `box` is None if it has no secrets."""

    accounts: tuple[AccountName, ...]
    box: Box | None

    @property
    def cost(self) -> KdfCost:
        """The cost of a guess at its password."""
        return DEFAULT_COST if self.box is None else self.box.cost

    def account(self, label: str) -> AccountName:
        """The account of that label; KeystoreError if there is none."""
        for account in self.accounts:
            if account.label == label:
                return account
        labels = ", ".join(account.label for account in self.accounts)
        raise KeystoreError(f"the wallet has no account '{label}'; it has {labels}")

    def account_of(self, public_key: bytes) -> AccountName | None:
        """The account of that key, if the wallet has it."""
        return next((account for account in self.accounts if account.public_key == public_key), None)

    def unlock(self, password: str) -> OpenWallet:
        """The wallet with its secrets. WrongPasswordError, or KeystoreError if the clear part was tampered with.
        A wallet without a box takes any password."""
        if self.box is None:
            wallet = OpenWallet(self.accounts)
        else:
            try:
                wallet = _opened(self.box, password)
            except (msgspec.MsgspecError, UnicodeDecodeError, WalletError):
                raise KeystoreError("the wallet's box holds no secrets of a wallet") from None
        wallet.check(self.accounts)
        return wallet


def seal(wallet: OpenWallet, password: str, cost: KdfCost = DEFAULT_COST) -> SealedWallet:
    """Seal a wallet's secrets in a box with a fresh salt and nonce; a wallet without secrets needs no password."""
    if not wallet.accounts:
        raise KeystoreError("a wallet has at least one account")
    if not wallet.has_secrets:
        return SealedWallet(wallet.accounts, None)
    if not password:
        raise KeystoreError("the password is empty")
    secrets = _Secrets(
        [Row.of(account) for account in wallet.accounts],
        wallet.mnemonic,
        wallet.passphrase,
        {label: key.seed.hex() for label, key in wallet.imported.items()},
    )
    salt = utils.random(SALT_BYTES)
    sealed = SecretBox(box_key(password, salt, cost)).encrypt(msgspec.json.encode(secrets))
    return SealedWallet(wallet.accounts, Box(cost, salt, bytes(sealed)))


def _opened(box: Box, password: str) -> OpenWallet:
    try:
        content = SecretBox(box_key(password, box.salt, box.cost)).decrypt(box.sealed)
    except exceptions.CryptoError:
        raise WrongPasswordError from None
    if box.version == 1:
        imported = {
            each.label: PrivateKey(bytes.fromhex(each.seed))
            for each in msgspec.json.decode(content, type=list[_Secret])
        }
        return OpenWallet(
            tuple(AccountName(label, key.public_key) for label, key in imported.items()), imported=imported
        )
    secrets = msgspec.json.decode(content, type=_Secrets)
    return OpenWallet(
        tuple(row.account for row in secrets.accounts),
        secrets.mnemonic,
        secrets.passphrase,
        {label: PrivateKey(bytes.fromhex(seed)) for label, seed in secrets.seeds.items()},
    )
