"""Keystore: wallet files, encrypted at rest, in the data directory's `wallets/`. No node is needed to use them.

`accounts` is a wallet's content, `sealed` its cryptography, `format` the file, `files` the directory of named wallets
with locks and atomic writes, `agent` the process that holds an unlocked one for a while.
"""

from pychain.keystore.accounts import DEFAULT_LABEL, AccountName, OpenWallet, wallet_of
from pychain.keystore.errors import KeystoreError, WrongPasswordError
from pychain.keystore.files import DEFAULT_WALLET, Keystore
from pychain.keystore.kdf import COSTS, DEFAULT_COST, KdfCost
from pychain.keystore.sealed import SealedWallet

__all__ = [
    "COSTS",
    "DEFAULT_COST",
    "DEFAULT_LABEL",
    "DEFAULT_WALLET",
    "AccountName",
    "KdfCost",
    "Keystore",
    "KeystoreError",
    "OpenWallet",
    "SealedWallet",
    "WrongPasswordError",
    "wallet_of",
]
