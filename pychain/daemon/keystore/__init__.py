"""Keystore: wallet files, encrypted at rest, in the data directory's `wallets/`. No node is needed to use them.

`sealed` is the format and its cryptography, `files` the directory of named wallets with locks and atomic writes.
"""

from pychain.daemon.keystore.files import DEFAULT_WALLET, Keystore
from pychain.daemon.keystore.sealed import (
    COSTS,
    DEFAULT_LABEL,
    AccountName,
    KdfCost,
    KeystoreError,
    SealedWallet,
    WrongPasswordError,
)

__all__ = [
    "COSTS",
    "DEFAULT_LABEL",
    "DEFAULT_WALLET",
    "AccountName",
    "KdfCost",
    "Keystore",
    "KeystoreError",
    "SealedWallet",
    "WrongPasswordError",
]
