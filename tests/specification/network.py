"""A network: the committed fields of its TOML file, the text that genesis commits to, and genesis itself.

The file is taken to be one that docs/consensus.md allows.
"""

from __future__ import annotations

import json
import struct
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.specification.hashing import sha256d


@dataclass(frozen=True)
class Network:
    """Times in seconds, amounts in base units, sizes in bytes."""

    hrp: str
    spacing_s: int
    half_life_s: int
    start_time: int
    pow_limit: int
    retarget: str
    retarget_params: dict[str, int]
    fork_choice: str
    fork_choice_params: dict[str, int]
    initial_subsidy: int
    halving_interval: int
    maturity: int
    max_block_bytes: int
    max_future_s: int
    genesis_time: int
    genesis_bits: int
    genesis_message: str
    allocations: tuple[tuple[bytes, int], ...]
    """(public key, amount), credited at height 0."""

    def canonical_text(self) -> bytes:
        """JSON of the committed fields: keys sorted, no spaces, UTF-8."""
        committed = {
            "hrp": self.hrp,
            "spacing_s": self.spacing_s,
            "half_life_s": self.half_life_s,
            "start_time": self.start_time,
            "pow_limit": f"{self.pow_limit:064x}",
            "retarget": {"rule": self.retarget, "params": self.retarget_params},
            "fork_choice": {"rule": self.fork_choice, "params": self.fork_choice_params},
            "initial_subsidy": self.initial_subsidy,
            "halving_interval": self.halving_interval,
            "maturity": self.maturity,
            "max_block_bytes": self.max_block_bytes,
            "max_future_s": self.max_future_s,
            "genesis": {"time": self.genesis_time, "bits": self.genesis_bits, "message": self.genesis_message},
            "allocations": [{"key": key.hex(), "amount": amount} for key, amount in self.allocations],
        }
        return json.dumps(committed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @cached_property
    def genesis(self) -> bytes:
        """The raw genesis block: its one transaction is a coinbase whose extra commits to the rules."""
        extra = sha256d(self.canonical_text())
        coinbase = struct.pack("<BI32sQB", 0, 0, bytes(32), 0, len(extra)) + extra
        header = struct.pack("<i32s32sIII", 1, bytes(32), sha256d(coinbase), self.genesis_time, self.genesis_bits, 0)
        return header + b"\x01" + coinbase

    @cached_property
    def genesis_hash(self) -> bytes:
        """The name of the chain."""
        return sha256d(self.genesis[:80])


def read_network(toml: str) -> Network:
    """The network in a chain spec file."""
    file: dict[str, Any] = tomllib.loads(toml)
    genesis = file["genesis"]
    return Network(
        hrp=file["hrp"],
        spacing_s=file["spacing_s"],
        half_life_s=file["half_life_s"],
        start_time=file.get("start_time", genesis["time"]),
        pow_limit=int(file["pow_limit"], 16),
        retarget=file["retarget"]["rule"],
        retarget_params=file["retarget"].get("params", {}),
        fork_choice=file["fork_choice"]["rule"],
        fork_choice_params=file["fork_choice"].get("params", {}),
        initial_subsidy=file["initial_subsidy"],
        halving_interval=file["halving_interval"],
        maturity=file["maturity"],
        max_block_bytes=file["max_block_bytes"],
        max_future_s=file["max_future_s"],
        genesis_time=genesis["time"],
        genesis_bits=genesis["bits"],
        genesis_message=genesis["message"],
        allocations=tuple((bytes.fromhex(row["key"]), row["amount"]) for row in genesis.get("allocations", [])),
    )
