"""A chain of many funded accounts, and their signed transfers: what the benchmarks feed to nodes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from pychain import native
from pychain.chain.spec import ChainSpec, parse_spec
from pychain.chain.transaction import SIGNATURE_BYTES, signing_message, transfer_body

BALANCE = 10**12
FEE = 1_000
"""Well over what relaying the longest transfer here costs."""
SPEC = """
name = "funded"
hrp = "fpyc"
spacing_s = 10
half_life_s = 43200
max_future_s = 7200
pow_limit = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
initial_subsidy = 5_000_000_000
halving_interval = 2100000
maturity = 1
max_block_bytes = 4000000
[retarget]
rule = "fixed"
[fork_choice]
rule = "most-work"
[genesis]
time = 1700000000
bits = 0x207fffff
allocations = [{allocations}]
"""


@dataclass(frozen=True)
class Funded:
    """`accounts` are (public key, secret key of libsodium); `path` is the chain spec's file."""

    spec: ChainSpec
    path: Path
    accounts: list[tuple[bytes, bytes]]

    def transfers(self, each: int) -> list[bytes]:
        """Raw transfers without memos, `each` of every account: all of the first sequence, then all of the second."""
        genesis, raws = self.spec.genesis_hash, []
        for sequence in range(each):
            for index, (sender, secret) in enumerate(self.accounts):
                recipient = self.accounts[(index + 7 * sequence + 1) % len(self.accounts)][0]
                body = transfer_body(sender, sequence, recipient, 1 + index, FEE, b"")
                raws.append(body + crypto_sign(signing_message(genesis, body), secret)[:SIGNATURE_BYTES])
        return raws


def funded_chain(directory: Path, count: int) -> Funded:
    """A chain spec that funds so many accounts, up to some 10,500, written to a file in the directory."""
    accounts = [crypto_sign_seed_keypair(sha256(b"pychain/bench/%d" % i).digest()) for i in range(count)]
    allocations = ",".join(f'{{key="{public.hex()}",amount={BALANCE}}}' for public, _ in accounts)
    text = SPEC.format(allocations=allocations)
    path = directory / "funded.toml"
    path.write_text(text)
    return Funded(parse_spec(text), path, accounts)


def txids(raws: list[bytes]) -> list[bytes]:
    """The ids of raw transactions."""
    return [native.sha256d(raw) for raw in raws]
