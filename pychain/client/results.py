"""Results of the calls that have their own method in `Client`. Fields that a newer node adds are ignored.

Names and meanings are those of docs/api.md: amounts in base units, hashes in display order, times in Unix seconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field


class ChainInfo(Struct, frozen=True):
    """Result of `getblockchaininfo`."""

    chain: str
    genesis: str
    blocks: int
    headers: int
    bestblockhash: str
    bits: str
    difficulty: float
    time: int
    mediantime: int
    verificationprogress: float
    initialblockdownload: bool
    secondsleft: int | None
    chainwork: str


class ChainTip(Struct, frozen=True):
    """A row of `getchaintips`."""

    height: int
    hash: str
    branchlen: int
    status: Literal["active", "valid-fork", "valid-headers", "headers-only", "invalid"]


class Header(Struct, frozen=True):
    """Result of `getblockheader`."""

    hash: str
    confirmations: int
    height: int
    time: int
    mediantime: int
    bits: str
    difficulty: float
    chainwork: str
    previousblockhash: str | None = None
    nextblockhash: str | None = None


class RawHeaders(Struct, frozen=True):
    """Result of `getblockheaders`."""

    start: int
    count: int
    headers: str


class Located(Struct, frozen=True):
    """The place of a transaction, from the result of `getrawtransaction`; in the mempool it has no block."""

    txid: str
    hex: str
    confirmations: int
    blockhash: str | None = None
    blockheight: int | None = None


class NextBlock(Struct, frozen=True):
    """The difficulty of the block after the tip."""

    height: int
    bits: str
    difficulty: float


class MiningInfo(Struct, frozen=True):
    """Result of `getmininginfo`; rates in hashes per second."""

    blocks: int
    difficulty: float
    networkhashps: float
    pooledtx: int
    next: NextBlock
    mining: bool
    threads: int
    hashespersec: float
    miningaddress: str | None = None


class NetworkInfo(Struct, frozen=True):
    """Result of `getnetworkinfo`."""

    version: str
    subversion: str
    node_id: str
    connections: int
    connections_in: int
    connections_out: int
    localaddresses: list[str]
    relayfee: int


class Peer(Struct, frozen=True):
    """A row of `getpeerinfo`."""

    id: int
    addr: str
    inbound: bool
    connection_type: str
    state: str
    conntime: int
    bytessent: int
    bytesrecv: int
    misbehaviour: int
    pingtime: float | None = None
    subver: str | None = None
    startingheight: int | None = None


class MempoolInfo(Struct, frozen=True):
    """Result of `getmempoolinfo`."""

    size: int
    bytes: int
    maxmempool: int
    minrelaytxfee: int


class MempoolEntry(Struct, frozen=True):
    """A value of `getrawmempool true`."""

    size: int
    fee: int
    feerate: int
    time: int
    sender: str
    sequence: int


class Account(Struct, frozen=True):
    """Result of `getaccount`."""

    address: str
    public_key: str
    balance: int
    available: int
    immature: int
    next_sequence: int
    pending_sequence: int
    pending: int


class HistoryEntry(Struct, frozen=True):
    """A row of `getaccounthistory`."""

    txid: str
    height: int
    blockhash: str
    time: int
    direction: Literal["in", "out", "self", "mined"]
    counterparty: str | None
    amount: int
    fee: int
    memo: str
    confirmations: int


class PendingPayment(Struct, frozen=True):
    """A row of `getaccountpending`."""

    txid: str
    time: int
    sequence: int
    recipient: str
    amount: int
    fee: int
    memo: str


class FeeEstimate(Struct, frozen=True):
    """Result of `estimatesmartfee`: base units per kilobyte, and the target in blocks."""

    feerate: int
    blocks: int


class ChainSpec(Struct, frozen=True):
    """Result of `getchainspec`."""

    name: str
    genesis: str
    dev: bool
    canonical: str
    genesis_block: str
    p2p_port: int
    api_port: int
    seeds: list[str] = field(default_factory=list)
