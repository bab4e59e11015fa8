"""A wallet's accounts: the public part that anyone with the file can read, and the secrets behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pychain.keystore.errors import KeystoreError
from pychain.wallet.derivation import account_path, derive, parse_path
from pychain.wallet.keys import PrivateKey
from pychain.wallet.mnemonic import seed_of

DEFAULT_LABEL = "main"
MAX_ACCOUNTS = 1_000
MAX_LABEL_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class AccountName:
    """The public part of an account, known without the password.

    `path` is where its key is derived from the mnemonic, None if the key was imported or is not here. Only the public
    key of a `watched` account is known.
    """

    label: str
    public_key: bytes
    path: str | None = None
    watched: bool = False

    @property
    def kind(self) -> str:
        """The user's name for it."""
        return "watched" if self.watched else "imported" if self.path is None else "derived"


@dataclass(frozen=True, slots=True, repr=False)
class OpenWallet:
    """A wallet's accounts and secrets. Changes make a new one. No text form shows a secret."""

    accounts: tuple[AccountName, ...] = ()
    mnemonic: str | None = None
    passphrase: str = ""
    imported: Mapping[str, PrivateKey] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<OpenWallet of {len(self.accounts)} accounts>"

    @property
    def has_secrets(self) -> bool:
        """Whether there is anything for a password to protect."""
        return self.mnemonic is not None or bool(self.imported)

    def keys(self) -> dict[str, PrivateKey]:
        """The keys of all accounts that have one here, by label."""
        seed = b"" if self.mnemonic is None else seed_of(self.mnemonic, self.passphrase)
        derived = {each.label: derive(seed, each.path).private_key for each in self.accounts if each.path is not None}
        return derived | dict(self.imported)

    # --- new accounts

    def with_derived(self, label: str) -> OpenWallet:
        """Add an account from the mnemonic, at the path after the last."""
        if self.mnemonic is None:
            raise KeystoreError("the wallet has no mnemonic to derive another account from; import a key instead")
        paths = (each.path for each in self.accounts)
        index = max((parse_path(path)[-1] + 1 for path in paths if path is not None), default=0)
        path = account_path(index)
        key = derive(seed_of(self.mnemonic, self.passphrase), path).private_key
        return self._with(AccountName(label, key.public_key, path))

    def with_imported(self, label: str, key: PrivateKey) -> OpenWallet:
        """Add an account with an imported key."""
        wallet = self._with(AccountName(label, key.public_key))
        return replace(wallet, imported={**self.imported, label: key})

    def with_watched(self, label: str, public_key: bytes) -> OpenWallet:
        """Add a watch-only account."""
        return self._with(AccountName(label, public_key, watched=True))

    def _with(self, account: AccountName) -> OpenWallet:
        check_label(account.label)
        for other in self.accounts:
            if other.label == account.label:
                raise KeystoreError(f"the wallet already has an account '{account.label}'")
            if other.public_key == account.public_key:
                raise KeystoreError(f"this account is already in the wallet, as '{other.label}'")
        if len(self.accounts) >= MAX_ACCOUNTS:
            raise KeystoreError(f"a wallet has at most {MAX_ACCOUNTS} accounts")
        return replace(self, accounts=(*self.accounts, account))

    def check(self, clear: Sequence[AccountName]) -> None:
        """KeystoreError if the accounts in the clear differ from those of the secrets."""
        keys = self.keys()
        shown = {each.label: each.public_key for each in self.accounts if not each.watched}
        if tuple(clear) != self.accounts or shown != {label: key.public_key for label, key in keys.items()}:
            raise KeystoreError("the wallet's accounts do not match its secrets: the file was changed")


def wallet_of(mnemonic: str, passphrase: str = "", labels: Sequence[str] = (DEFAULT_LABEL,)) -> OpenWallet:
    """The wallet of a mnemonic (see `wallet.mnemonic`), with an account for each label."""
    wallet = OpenWallet(mnemonic=mnemonic, passphrase=passphrase)
    for label in labels:
        wallet = wallet.with_derived(label)
    return wallet


def check_label(label: str) -> None:
    """A label is one line that a terminal can print."""
    if not label.isprintable() or label != label.strip() or not 1 <= len(label) <= MAX_LABEL_CHARACTERS:
        raise KeystoreError(f"a label has 1 to {MAX_LABEL_CHARACTERS} printable characters, without blanks at its ends")
