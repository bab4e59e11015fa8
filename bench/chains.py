"""Chains to measure with: a network of many funded accounts, and files of its blocks full of transfers.

    python bench/chains.py DIRECTORY [--accounts N] [--transfers N] [--a-block N] [--empty N]

writes DIRECTORY/network.toml and DIRECTORY/chain.dat. Keys follow from numbers, so every run makes the same chain.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from pychain import native
from pychain.base.codec import compact_size
from pychain.chain.header import new_header
from pychain.chain.spec import ChainSpec, parse_spec
from pychain.chain.target import target_from_bits
from pychain.chain.transaction import new_coinbase, signing_message, transfer_body
from pychain.consensus.subsidy import subsidy
from pychain.daemon.chain_file import write_chain

BITS = 0x207FFFFF
"""The easiest target: mining is not measured."""
BALANCE = 10**12
FEE = 1_000
"""Well over what relaying the longest transfer here costs."""


class Account:
    """A key that can sign, and its next sequence."""

    def __init__(self, number: int) -> None:
        self.key, self._secret = crypto_sign_seed_keypair(sha256(f"bench/{number}".encode()).digest())
        self.sequence = 0

    def pay(self, genesis_hash: bytes, recipient: bytes, amount: int = 1, memo: bytes = b"") -> bytes:
        body = transfer_body(self.key, self.sequence, recipient, amount, FEE, memo)
        self.sequence += 1
        return body + crypto_sign(signing_message(genesis_hash, body), self._secret)[:64]


@dataclass(frozen=True)
class Shape:
    """The plan of a chain: funded accounts, transfers among them, transfers per block, and empty blocks on top."""

    accounts: int = 10_000
    transfers: int = 200_000
    a_block: int = 2_000
    empty: int = 0


def accounts(count: int) -> list[Account]:
    """This many, the same in every run; none is the treasurer, `Account(0)`."""
    return [Account(1 + number) for number in range(count)]


def network(allocations: Iterable[tuple[bytes, int]]) -> str:
    """The spec of a network whose blocks hold some 20,000 transfers; up to 10,000 keys own so much from the first."""
    owned = ",".join([f'{{key="{key.hex()}",amount={amount}}}' for key, amount in allocations])
    return f"""name = "bench"
hrp = "bench"
spacing_s = 60
half_life_s = 43200
max_future_s = 7200
pow_limit = "{target_from_bits(BITS):064x}"
initial_subsidy = 5000000000
halving_interval = 210000
maturity = 1
max_block_bytes = 4000000

[retarget]
rule = "fixed"

[fork_choice]
rule = "most-work"

[genesis]
time = 1700000000
bits = {BITS}
message = "for measurements"
allocations = [{owned}]

[node]
dev = true
"""


class Chain:
    """Valid blocks, each on the one before."""

    def __init__(self, spec: ChainSpec) -> None:
        self.spec = spec
        self.tip = spec.genesis.header
        self.height = 0

    def extend(self, transfers: list[bytes]) -> bytes:
        """The next block, raw, with these transfers."""
        self.height += 1
        amount = subsidy(self.spec, self.height) + FEE * len(transfers)
        coinbase = new_coinbase(self.height, bytes(31) + b"\1", amount, bytes(32))
        raws = [coinbase.raw, *transfers]
        root = native.merkle_root(b"".join([native.sha256d(raw) for raw in raws]))
        bare = new_header(1, self.tip.hash, root, self.tip.time + 60, BITS, 0)
        nonce, _ = native.search(bare.raw, target_from_bits(BITS), 0, 2**32)
        assert nonce is not None
        self.tip = new_header(1, self.tip.hash, root, self.tip.time + 60, BITS, nonce)
        return self.tip.raw + compact_size(len(raws)) + b"".join(raws)


def transfers(genesis_hash: bytes, payers: list[Account], each: int) -> Iterator[bytes]:
    """`each` of every account: all of their next sequence, then all of the one after it."""
    for sequence in range(each):
        for index, payer in enumerate(payers):
            recipient = payers[(index + 7 * sequence + 1) % len(payers)]
            yield payer.pay(genesis_hash, recipient.key, 1 + index)


def blocks(chain: Chain, treasurer: Account, payers: list[Account], shape: Shape) -> Iterator[bytes]:
    """Blocks that give every account its balance, then some full of transfers from each account in turn to another,
    then empty ones."""
    genesis_hash = chain.spec.genesis_hash
    for first in range(0, len(payers), shape.a_block):
        some = payers[first : first + shape.a_block]
        yield chain.extend([treasurer.pay(genesis_hash, payer.key, BALANCE) for payer in some])
    for first in range(0, shape.transfers, shape.a_block):
        numbers = range(first, min(first + shape.a_block, shape.transfers))
        pairs = [(payers[number % len(payers)], payers[(7 * number + 1) % len(payers)]) for number in numbers]
        yield chain.extend([payer.pay(genesis_hash, recipient.key) for payer, recipient in pairs])
    for _ in range(shape.empty):
        yield chain.extend([])


def write(directory: Path, shape: Shape) -> ChainSpec:
    """Make the two files; returns the spec."""
    treasurer, payers = Account(0), accounts(shape.accounts)
    directory.mkdir(parents=True, exist_ok=True)
    toml = network([(treasurer.key, 10**17)])
    (directory / "network.toml").write_text(toml, encoding="utf-8")
    spec = parse_spec(toml)
    with (directory / "chain.dat").open("wb") as out:
        write_chain(out, spec.genesis_hash, blocks(Chain(spec), treasurer, payers, shape))
    return spec


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a chain to measure with.")
    parser.add_argument("directory", type=Path)
    for field in fields(Shape):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=int, default=field.default)
    arguments = vars(parser.parse_args())
    write(arguments.pop("directory"), Shape(**arguments))


if __name__ == "__main__":
    main()
