"""Statistics of one block: its transfers' fees, amounts and sizes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from pychain.api.types import Amount, Bytes, Count, FeeRate, HashHex, Height, UnixTime
from pychain.chain.block import decode_block
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import Transfer
from pychain.consensus.subsidy import subsidy
from pychain.ledger.pending import fee_rate

_PERCENTILES = (10, 25, 50, 75, 90)


class BlockStats(Struct, kw_only=True):
    """Like Core's getblockstats: the requested statistics. Sizes and fees cover the transfers without the coinbase,
    zero if there are none; `feerate_percentiles` are at 10, 25, 50, 75 and 90 % of their bytes."""

    blockhash: HashHex | UnsetType = UNSET
    height: Height | UnsetType = UNSET
    time: UnixTime | UnsetType = UNSET
    mediantime: UnixTime | UnsetType = UNSET
    txs: Count | UnsetType = UNSET
    subsidy: Amount | UnsetType = UNSET
    totalfee: Amount | UnsetType = UNSET
    avgfee: Amount | UnsetType = UNSET
    medianfee: Amount | UnsetType = UNSET
    minfee: Amount | UnsetType = UNSET
    maxfee: Amount | UnsetType = UNSET
    avgfeerate: FeeRate | UnsetType = UNSET
    minfeerate: FeeRate | UnsetType = UNSET
    maxfeerate: FeeRate | UnsetType = UNSET
    feerate_percentiles: list[FeeRate] | UnsetType = UNSET
    total_out: Amount | UnsetType = UNSET
    total_size: Bytes | UnsetType = UNSET
    avgtxsize: Bytes | UnsetType = UNSET
    mediantxsize: Bytes | UnsetType = UNSET
    mintxsize: Bytes | UnsetType = UNSET
    maxtxsize: Bytes | UnsetType = UNSET


def block_stats(spec: ChainSpec, raw: bytes, height: int, median_time: int) -> BlockStats:
    """All statistics of a valid block."""
    block = decode_block(raw)
    transfers = [each for each in block.transactions if isinstance(each, Transfer)]
    fees = sorted(transfer.fee for transfer in transfers)
    sizes = sorted(len(transfer.raw) for transfer in transfers)
    rates = sorted((fee_rate(transfer), len(transfer.raw)) for transfer in transfers)
    total_size = sum(sizes)
    return BlockStats(
        blockhash=hash_hex(block.hash),
        height=height,
        time=block.header.time,
        mediantime=median_time,
        txs=len(block.transactions),
        subsidy=subsidy(spec, height) if height else 0,
        totalfee=sum(fees),
        avgfee=sum(fees) // max(1, len(fees)),
        medianfee=_median(fees),
        minfee=min(fees, default=0),
        maxfee=max(fees, default=0),
        avgfeerate=sum(fees) * 1000 // max(1, total_size),
        minfeerate=rates[0][0] if rates else 0,
        maxfeerate=rates[-1][0] if rates else 0,
        feerate_percentiles=_percentiles(rates, total_size),
        total_out=sum(transfer.amount for transfer in transfers),
        total_size=total_size,
        avgtxsize=total_size // max(1, len(sizes)),
        mediantxsize=_median(sizes),
        mintxsize=min(sizes, default=0),
        maxtxsize=max(sizes, default=0),
    )


def _median(ordered: Sequence[int]) -> int:
    """The middle, or the rounded-down mean of the two middles (as Core)."""
    if not ordered:
        return 0
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2


def _percentiles(rates: Sequence[tuple[int, int]], total_size: int) -> list[int]:
    """The rate (first of each pair, ascending) of the transfer in which each share of the bytes is reached."""
    found: list[int] = []
    size = 0
    for rate, bytes_ in rates:
        size += bytes_
        while len(found) < len(_PERCENTILES) and size * 100 >= total_size * _PERCENTILES[len(found)]:
            found.append(rate)
    return found or [0] * len(_PERCENTILES)
