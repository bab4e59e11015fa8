"""Chain specs: a network is data, a TOML file, not code.

Most fields are committed: their canonical text is hashed into the genesis coinbase, so nodes with different rules have
different genesis hashes. The `[node]` table (ports, seeds, minimum work, dev) is advice for nodes and is not
committed.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Annotated, Any

import msgspec

from pychain.base.codec import U32_MAX
from pychain.base.errors import ConfigError, DecodeError
from pychain.base.registry import MAX_NAME, NAME_PATTERN
from pychain.chain.address import MAX_ADDRESS_CHARACTERS
from pychain.chain.block import Block
from pychain.chain.genesis import genesis_block
from pychain.chain.target import bits_from_target, target_from_bits
from pychain.chain.transaction import COINBASE_BYTES, MAX_EXTRA_BYTES

PACKAGED_NETWORKS = ("main", "test", "race", "dev")
MAX_SPEC_BYTES = 1_000_000
"""About 8,000 allocations; a larger file is refused before it is parsed."""
MAX_BLOCK_BYTES_LIMIT = 64_000_000
"""The largest block size that a spec may have: frames carry whole blocks, and nodes hold several in memory."""
MIN_BLOCK_BYTES_LIMIT = 80 + 3 + COINBASE_BYTES + MAX_EXTRA_BYTES
"""A block with the longest coinbase must fit."""
_ADDRESS_DATA_CHARACTERS = 1 + 52 + 6

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
U31 = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=U32_MAX)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
RuleName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME, pattern=NAME_PATTERN)]
Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    """A TOML table: an unknown key is an error, since a misspelt rule would otherwise be ignored."""


class _Rule(_Table):
    rule: RuleName
    params: dict[RuleName, Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]] = {}


class _Allocation(_Table):
    key: Hex32
    amount: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Genesis(_Table):
    time: U32
    bits: U32
    message: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    allocations: list[_Allocation] = []


class _Node(_Table):
    p2p_port: Port = 0
    api_port: Port = 0
    seeds: list[Annotated[str, msgspec.Meta(max_length=300)]] = []
    min_chain_work: Hex32 = "0" * 64
    dev: bool = False


class _SpecFile(_Table):
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\Z")]
    hrp: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{1,16}\Z")]
    spacing_s: Positive
    half_life_s: Positive
    pow_limit: Hex32
    initial_subsidy: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    halving_interval: U31
    maturity: U31
    max_block_bytes: Annotated[int, msgspec.Meta(ge=MIN_BLOCK_BYTES_LIMIT, le=MAX_BLOCK_BYTES_LIMIT)]
    max_future_s: Positive
    retarget: _Rule
    fork_choice: _Rule
    genesis: _Genesis
    start_time: U32 | None = None
    node: _Node = msgspec.field(default_factory=_Node)


@dataclass(frozen=True)
class ChainSpec:
    """The rules of one network. Times in seconds, amounts in base units, sizes in bytes."""

    # committed
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
    """(public key, amount), credited at height 0 in this order."""
    # not committed
    name: str
    p2p_port: int = 0
    api_port: int = 0
    seeds: tuple[str, ...] = ()
    min_chain_work: int = 0
    dev: bool = False

    def __post_init__(self) -> None:
        try:
            target = target_from_bits(self.genesis_bits)
        except DecodeError as error:
            raise ConfigError(f"chain spec '{self.name}': genesis.{error}") from None
        keys = [key for key, _ in self.allocations]
        refusals = {
            f"pow_limit must be 1 to 2^256 - 1, not {self.pow_limit}": not 0 < self.pow_limit < 2**256,
            f"genesis.bits 0x{self.genesis_bits:08x} allow a target above pow_limit": target > self.pow_limit,
            f"genesis.bits 0x{self.genesis_bits:08x} are not the canonical encoding": bits_from_target(target)
            != self.genesis_bits,
            "spacing_s must be at least 1": self.spacing_s < 1,
            "half_life_s must be at least 1": self.half_life_s < 1,
            f"max_future_s {self.max_future_s} is over half_life_s {self.half_life_s}: "
            "under asert, dating blocks ahead would buy difficulty": self.retarget == "asert"
            and self.max_future_s > self.half_life_s,
            "halving_interval 0 needs initial_subsidy 0": self.halving_interval == 0 and self.initial_subsidy > 0,
            "genesis.allocations name an account twice": len(set(keys)) != len(keys),
            f"hrp '{self.hrp}' makes addresses too long": len(self.hrp) + _ADDRESS_DATA_CHARACTERS
            > MAX_ADDRESS_CHARACTERS,
        }
        for line, refused in refusals.items():
            if refused:
                raise ConfigError(f"chain spec '{self.name}': {line}")

    def canonical(self) -> bytes:
        """The text that genesis commits to: JSON of the committed fields, keys sorted, no spaces, UTF-8."""
        return msgspec.json.encode(
            {
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
            },
            order="deterministic",
        )

    @cached_property
    def genesis(self) -> Block:
        """The first block; its hash names the chain."""
        return genesis_block(self.canonical(), self.genesis_time, self.genesis_bits)

    @cached_property
    def genesis_hash(self) -> bytes:
        return self.genesis.hash


def parse_spec(text: str) -> ChainSpec:
    """The spec in a TOML text. ConfigError, one line, if anything is wrong with it."""
    if len(text) > MAX_SPEC_BYTES:
        raise ConfigError(f"a chain spec has at most {MAX_SPEC_BYTES} characters")
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and integers of thousands of digits
        raise ConfigError(f"the chain spec is not TOML: {error}") from None
    try:
        file = msgspec.convert(document, _SpecFile)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the chain spec does not fit: {error}") from None
    return ChainSpec(
        hrp=file.hrp,
        spacing_s=file.spacing_s,
        half_life_s=file.half_life_s,
        start_time=file.genesis.time if file.start_time is None else file.start_time,
        pow_limit=int(file.pow_limit, 16),
        retarget=file.retarget.rule,
        retarget_params=file.retarget.params,
        fork_choice=file.fork_choice.rule,
        fork_choice_params=file.fork_choice.params,
        initial_subsidy=file.initial_subsidy,
        halving_interval=file.halving_interval,
        maturity=file.maturity,
        max_block_bytes=file.max_block_bytes,
        max_future_s=file.max_future_s,
        genesis_time=file.genesis.time,
        genesis_bits=file.genesis.bits,
        genesis_message=file.genesis.message,
        allocations=tuple((bytes.fromhex(entry.key), entry.amount) for entry in file.genesis.allocations),
        name=file.name,
        p2p_port=file.node.p2p_port,
        api_port=file.node.api_port,
        seeds=tuple(file.node.seeds),
        min_chain_work=int(file.node.min_chain_work, 16),
        dev=file.node.dev,
    )


def packaged_spec(name: str) -> ChainSpec:
    """One of the networks that come with the package."""
    if name not in PACKAGED_NETWORKS:
        raise ConfigError(f"network '{name}' is unknown; there are {', '.join(PACKAGED_NETWORKS)}, or a file's path")
    return parse_spec(files("pychain.chain").joinpath("networks", f"{name}.toml").read_text("utf-8"))
