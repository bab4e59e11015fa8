"""Blocks with at most one fault, drawn at random on any block, for comparing chains.

A block is made from its parent's bytes alone, so whether the parent is valid makes no difference here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.specification.branch import median_time
from tests.specification.encoding import Reader
from tests.specification.headers import Header, read_header
from tests.specification.network import read_network
from tests.specification.retarget import next_bits
from tests.support import wire
from tests.support.forge import FEE, MINER, Forged, forge, genesis
from tests.support.keys import signer
from tests.support.network import Network

PEOPLE = [signer(name) for name in ("alice", "bob", "carol")]
FUNDS = 1000
HARDER_BITS = 0x201FFFFF

Fault = Callable[["Grown", "World", list[bytes]], dict[str, Any]]
"""(parent, world, transfers) -> arguments of `forge` that make the fault."""


class World:
    """A network, to forge on and as specified, and the initial time of the clock."""

    def __init__(self, network: Network, clock: int) -> None:
        self.network = network
        self.specified = read_network(network.toml())
        self.clock = clock


class Grown:
    """A forged block on its branch.

    headers: the branch's, this block's the last. sequences: how many transfers each signer has on the branch. raw: the
    bytes to submit, which may be another body than the block's. about: for who reads a failure.
    """

    def __init__(
        self, block: Forged, headers: tuple[Header, ...], sequences: dict[bytes, int], raw: bytes, about: str
    ) -> None:
        self.block = block
        self.headers = headers
        self.sequences = sequences
        self.raw = raw
        self.about = about

    def __repr__(self) -> str:
        return f"<{self.about}>"


def root(network: Network) -> Grown:
    block = genesis(network)
    return Grown(block, (read_header(Reader(block.header)),), {}, block.raw, block.name)


def _transfers_of(draw: st.DrawFn, network: Network, sequences: dict[bytes, int]) -> list[bytes]:
    """Signed transfers in their sequence; whether they are covered is left to chance."""
    raws = []
    for _ in range(draw(st.integers(0, 2))):
        sender, recipient = draw(st.sampled_from(PEOPLE[:2])), draw(st.sampled_from(PEOPLE))
        amount, fee = draw(st.integers(0, FUNDS // 4)), draw(st.integers(0, 5))
        sequence = sequences.get(sender.key, 0)
        raws.append(sender.transfer(network.genesis_hash, sequence, recipient.key, amount, fee))
        sequences[sender.key] = sequence + 1
    return raws


def _pay(network: Network, sequence: int, amount: int, fee: int = 0, memo: bytes = b"") -> bytes:
    return PEOPLE[0].transfer(network.genesis_hash, sequence, PEOPLE[1].key, amount, fee, memo)


def _with_transfer(make: Callable[[Network, int], bytes]) -> Fault:
    """A fault of one more transfer, whose sender's next sequence `make` is told."""

    def fault(parent: Grown, world: World, transfers: list[bytes]) -> dict[str, Any]:
        key = PEOPLE[0].key
        earlier = sum(transfer[1:33] == key for transfer in transfers)
        return {"transfers": [*transfers, make(world.network, parent.sequences.get(key, 0) + earlier)]}

    return fault


def _with(unusual: dict[str, Any]) -> Fault:
    return lambda parent, world, transfers: unusual


def _claim(change: int) -> Fault:
    def fault(parent: Grown, world: World, transfers: list[bytes]) -> dict[str, Any]:
        fees = sum(int.from_bytes(transfer[FEE], "little") for transfer in transfers)
        return {"claim": world.network.subsidy(parent.block.height + 1) + fees + change}

    return fault


def _coinbases(count: int) -> Fault:
    def fault(parent: Grown, world: World, transfers: list[bytes]) -> dict[str, Any]:
        height = parent.block.height + 1
        rewards = [wire.coinbase(height, MINER, 0, bytes([number]) * 32) for number in range(count)]
        return {"transactions": [*rewards, *(transfers or [_pay(world.network, 0, 1)])]}

    return fault


def _forged_signature(network: Network, sequence: int) -> bytes:
    pay = _pay(network, sequence, 1)
    return pay[:-64] + bytes([pay[-64] ^ 1]) + pay[-63:]


FAULTS: dict[str, Fault] = {
    "none": _with({}),
    "high-hash": _with({"solved": False}),
    "bad-diffbits": lambda parent, world, transfers: {"bits": _other_bits(next_bits(world.specified, parent.headers))},
    "time-too-old": lambda parent, world, transfers: {"time": median_time(parent.headers)},
    "time-before-start": lambda parent, world, transfers: {"time": world.network.start_time - 1},
    "time-too-new": lambda parent, world, transfers: {"time": world.clock + world.network.max_future_s + 1},
    "bad-txnmrklroot": _with({"root": bytes(32)}),
    "bad-cb-missing": _coinbases(0),
    "bad-cb-multiple": _coinbases(2),
    "bad-cb-length": _with({"extra": bytes(101)}),
    "bad-cb-height": lambda parent, world, transfers: {"height": parent.block.height},
    "too little claimed": _claim(-1),
    "too much claimed": _claim(1),
    "bad-tx-memo-length": _with_transfer(lambda network, sequence: _pay(network, sequence, 1, memo=bytes(513))),
    "bad-tx-sequence-limit": _with_transfer(lambda network, sequence: _pay(network, 2**64 - 1, 1)),
    "bad-tx-amount-overflow": _with_transfer(lambda network, sequence: _pay(network, sequence, 2**64 - 1, 1)),
    "bad-tx-signature": _with_transfer(_forged_signature),
    "a sequence too late": _with_transfer(lambda network, sequence: _pay(network, sequence + 1, 1)),
    "a sequence again": _with_transfer(lambda network, sequence: _pay(network, max(0, sequence - 1), 1)),
    "bad-tx-balance": _with_transfer(lambda network, sequence: _pay(network, sequence, 2**63)),
}
"""The rule that each breaks, or its description."""

BODIES: dict[str, Callable[[Forged], bytes]] = {
    "its own": lambda block: block.raw,
    "cut": lambda block: block.raw[:-1],
    "padded": lambda block: block.raw + b"\0",
    "of another block": lambda block: block.with_body([wire.coinbase(block.height, MINER, 0)]),
    "mutated": lambda block: block.with_body([*block.transactions, block.transactions[-1]]),
    "empty": lambda block: block.with_body([]),
}
"""The bytes that are sent as the block."""


def _other_bits(due: int) -> int:
    return due - 1 if due == HARDER_BITS else HARDER_BITS


@st.composite
def grown(draw: st.DrawFn, world: World, parents: Sequence[Grown], number: int) -> Grown:
    """A block on one of the last blocks, most often on the very last: mostly valid, and mostly sent as it is."""
    parent = draw(st.sampled_from([*parents[-4:], parents[-1], parents[-1]]))
    fault = draw(st.sampled_from(["none"] * 3 * len(FAULTS) + sorted(FAULTS)))
    sequences = dict(parent.sequences)
    transfers = _transfers_of(draw, world.network, sequences)
    earliest = max(parent.block.time + 1, world.network.start_time)
    choices: dict[str, Any] = {
        "transfers": transfers,
        "miner": draw(st.sampled_from(PEOPLE)).key,
        "time": earliest + draw(st.integers(0, 3 * world.network.spacing_s)),
        "bits": next_bits(world.specified, parent.headers),
    }
    choices |= FAULTS[fault](parent, world, transfers)
    block = forge(world.network, f"b{number}", parent.block, **choices)
    body = draw(st.sampled_from(["its own"] * 5 * len(BODIES) + sorted(BODIES)))
    header = read_header(Reader(block.header))
    about = f"{block.name} on {parent.block.name}, fault: {fault}, body: {body}"
    return Grown(block, (*parent.headers, header), sequences, BODIES[body](block), about)
