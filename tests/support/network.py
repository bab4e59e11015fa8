"""A network as a plain table: its TOML file and, independently, the text that genesis commits to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.support import wire

GENESIS_TIME = 1_700_000_000
EASY_BITS = 0x207FFFFF
"""Every second hash is a proof of work."""


@dataclass(frozen=True)
class Network:
    """The committed fields of a chain spec, with easy values for tests, and its name."""

    name: str = "story"
    hrp: str = "spc"
    spacing_s: int = 10
    half_life_s: int = 7200
    start_time: int = GENESIS_TIME
    pow_limit: int = 2**255 - 1
    retarget: str = "fixed"
    retarget_params: dict[str, int] = field(default_factory=dict)
    fork_choice: str = "most-work"
    fork_choice_params: dict[str, int] = field(default_factory=dict)
    initial_subsidy: int = 5_000_000_000
    halving_interval: int = 1000
    maturity: int = 1
    max_block_bytes: int = 100_000
    max_future_s: int = 7200
    genesis_time: int = GENESIS_TIME
    genesis_bits: int = EASY_BITS
    genesis_message: str = "a chain for tests"
    allocations: tuple[tuple[bytes, int], ...] = ()

    def committed(self) -> dict[str, Any]:
        """The committed fields, named and shaped as docs/consensus.md says."""
        return {
            "allocations": [{"amount": amount, "key": key.hex()} for key, amount in self.allocations],
            "fork_choice": {"params": self.fork_choice_params, "rule": self.fork_choice},
            "genesis": {"bits": self.genesis_bits, "message": self.genesis_message, "time": self.genesis_time},
            "half_life_s": self.half_life_s,
            "halving_interval": self.halving_interval,
            "hrp": self.hrp,
            "initial_subsidy": self.initial_subsidy,
            "maturity": self.maturity,
            "max_block_bytes": self.max_block_bytes,
            "max_future_s": self.max_future_s,
            "pow_limit": f"{self.pow_limit:064x}",
            "retarget": {"params": self.retarget_params, "rule": self.retarget},
            "spacing_s": self.spacing_s,
            "start_time": self.start_time,
        }

    @cached_property
    def canonical(self) -> bytes:
        return wire.canonical_text(self.committed())

    @cached_property
    def genesis(self) -> bytes:
        """The raw genesis block."""
        return wire.genesis_block(self.canonical, self.genesis_time, self.genesis_bits)

    @cached_property
    def genesis_hash(self) -> bytes:
        return wire.sha256d(self.genesis[:80])

    def subsidy(self, height: int) -> int:
        """What block `height` creates."""
        return self.initial_subsidy // 2 ** (height // self.halving_interval) if self.halving_interval else 0

    def toml(self) -> str:
        """The network as a chain spec file."""
        return toml_text({"name": self.name, **_file_tables(self.committed())})


def toml_text(table: dict[str, Any], path: str = "") -> str:
    """TOML of nested tables, arrays, strings, integers and booleans."""
    lines, rest = [], []
    for key, value in table.items():
        name = f"{path}.{_string(key)}" if path else _string(key)
        if isinstance(value, dict):
            rest.append(f"[{name}]\n{toml_text(value, name)}")
        elif isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            rest.extend(f"[[{name}]]\n{toml_text(entry, name)}" for entry in value)
        else:
            lines.append(f"{_string(key)} = {_scalar(value)}\n")
    return "".join(lines + rest)


def _file_tables(committed: dict[str, Any]) -> dict[str, Any]:
    """The committed fields as a spec file lays them out: allocations stand under genesis."""
    tables = dict(committed)
    tables["genesis"] = {**tables["genesis"], "allocations": tables.pop("allocations")}
    return tables


def _scalar(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_scalar(entry) for entry in value)}]"
    return _string(value) if isinstance(value, str) else json.dumps(value)


def _string(value: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's too, and TOML wants DEL escaped as well."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
