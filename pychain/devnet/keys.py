"""The keys that the nodes of a devnet mine to: publicly known, since the coins are play money."""

from __future__ import annotations

from hashlib import sha256

from pychain.chain.address import encode_address
from pychain.chain.spec import ChainSpec
from pychain.wallet.keys import DEV_KEYS, PrivateKey, dev_key


def node_key(index: int) -> PrivateKey:
    """The key of a node: the well-known dev key of that number, beyond those sha256("pychain/devnet/" + number)."""
    if index < DEV_KEYS:
        return dev_key(index)
    return PrivateKey(sha256(b"pychain/devnet/" + str(index).encode()).digest())


def node_address(spec: ChainSpec, index: int) -> str:
    """The address of a node's rewards."""
    return encode_address(spec.hrp, node_key(index).public_key)
