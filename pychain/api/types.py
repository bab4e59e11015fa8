"""The types of parameters and results: a name for each kind of value, with its bounds and its unit."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

HEX_LIMIT = 2 * 64_000_000
"""Digits of the largest block that any chain spec allows."""

Height = Annotated[int, Meta(ge=0, description="height of a block, 0 for genesis")]
Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[int, Meta(ge=0, description="base units, 100,000,000 per coin")]
FeeRate = Annotated[int, Meta(ge=0, description="base units per kilobyte (1,000 bytes)")]
Bytes = Annotated[int, Meta(ge=0, description="bytes")]
UnixTime = Annotated[int, Meta(ge=0, le=2**63 - 1, description="Unix time in seconds")]
Seconds = Annotated[float, Meta(description="seconds")]
HashHex = Annotated[
    str, Meta(pattern="^[0-9A-Fa-f]{64}$", description="a hash in display order (bytes reversed), 64 hex digits")
]
Hex = Annotated[str, Meta(max_length=HEX_LIMIT, description="serialized bytes, in hex")]
Bits = Annotated[str, Meta(description="compact target, 8 hex digits")]
Target = Annotated[str, Meta(description="the highest valid block hash as a number, 64 hex digits")]
Work = Annotated[str, Meta(description="expected hashes, 64 hex digits")]
Difficulty = Annotated[float, Meta(description="difficulty relative to Bitcoin's easiest target (bits 1d00ffff)")]
Address = Annotated[str, Meta(max_length=90, description="a bech32m address of this network")]
Share = Annotated[float, Meta(ge=0, le=1, description="0 to 1")]
