"""Forging blocks, good and bad, byte by byte: a block is valid unless the caller asks for something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from tests.support import wire
from tests.support.network import Network

FEE = slice(1 + 32 + 8 + 32 + 8, 1 + 32 + 8 + 32 + 8 + 8)
"""Where in a transfer its fee is."""
MINER = b"\x4d" * 32


@dataclass(frozen=True)
class Forged:
    """A block as it was made."""

    name: str
    header: bytes
    transactions: tuple[bytes, ...]
    height: int
    time: int
    bits: int

    @cached_property
    def raw(self) -> bytes:
        return wire.block(self.header, self.transactions)

    @cached_property
    def hash(self) -> bytes:
        return wire.sha256d(self.header)

    def with_body(self, transactions: Sequence[bytes]) -> bytes:
        """This header over other transactions."""
        return wire.block(self.header, transactions)


def genesis(network: Network) -> Forged:
    raw = network.genesis
    return Forged("genesis", raw[:80], (raw[81:],), 0, network.genesis_time, network.genesis_bits)


def forge(
    network: Network,
    name: str,
    parent: Forged,
    transfers: Sequence[bytes] = (),
    *,
    miner: bytes = MINER,
    time: int | None = None,
    bits: int | None = None,
    version: int = 1,
    claim: int | None = None,
    height: int | None = None,
    extra: bytes | None = None,
    transactions: Sequence[bytes] | None = None,
    root: bytes | None = None,
    solved: bool = True,
) -> Forged:
    """A block on `parent`, its proof of work found.

    Without the keywords it is valid: one spacing after its parent, under its parent's bits, claiming exactly what is
    due. `name` makes the coinbase, and with it the block, its own. `height` is what the coinbase names; `transactions`
    replaces all, coinbase included; `root` is written into the header instead of the right one.
    """
    true_height = parent.height + 1
    time = parent.time + network.spacing_s if time is None else time
    bits = parent.bits if bits is None else bits
    if transactions is None:
        fees = sum(int.from_bytes(transfer[FEE], "little") for transfer in transfers)
        claim = network.subsidy(true_height) + fees if claim is None else claim
        extra = sha256(name.encode()).digest() if extra is None else extra
        reward = wire.coinbase(true_height if height is None else height, miner, claim, extra)
        transactions = (reward, *transfers)
    root = wire.root_of(transactions) if root is None else root
    header = wire.solve(version, parent.hash, root, time, bits, wanted=solved)
    return Forged(name, header, tuple(transactions), true_height, time, bits)
