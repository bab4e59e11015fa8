"""Load: transfers between the nodes' keys at a rate, followed until they are in a block.

Each key pays through its own node, in order and without waiting for blocks; a transfer is confirmed once that node has
it in its chain. A key that falls behind the rate catches up as fast as its node answers.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from pychain.chain.spec import ChainSpec
from pychain.client import ClientError, RefusedError
from pychain.devnet.errors import DevnetError
from pychain.devnet.keys import node_address, node_key
from pychain.devnet.network import Devnet, DevnetNode
from pychain.devnet.traffic import AMOUNT
from pychain.wallet.payment import Payment, fee_for, sign_transfer

MAX_RATE = 1000.0
"""Transfers per second of all nodes together: the limit of this client in Python."""
ANSWER_TIMEOUT_S = 10.0
WAIT_BLOCK_MS = 500
"""How long one call lets a node wait for its next block."""
MAX_WALK = 512
"""Blocks to search after a reorganisation: deeper ones have no transfers of this load."""
POLL_S = 0.1
MEMO = b"load"


class Latency(msgspec.Struct, frozen=True):
    """Durations in milliseconds: the median, the 90th and 99th percentile, and the maximum."""

    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency | None:
        """None if nothing was measured."""
        if not seconds:
            return None
        ranked = sorted(seconds)
        ranks = [min(len(ranked) - 1, int(share * len(ranked))) for share in (0.5, 0.9, 0.99, 1)]
        return cls(*(round(ranked[rank] * 1000, 2) for rank in ranks))


class Report(msgspec.Struct, frozen=True):
    """The outcome of the transfers. unanswered: those that got no answer. refusals: the count of each reason."""

    seconds: float
    submitted: int
    accepted: int
    refused: int
    unanswered: int
    confirmed: int
    accepted_in_ms: Latency | None
    confirmed_in_ms: Latency | None
    refusals: dict[str, int]


class _Block(msgspec.Struct):
    tx: list[str]
    previousblockhash: str | None = None


class _Tip(msgspec.Struct):
    hash: str


class Load:
    """Transfers from the keys of a devnet's running nodes. DevnetError if none runs."""

    def __init__(self, devnet: Devnet) -> None:
        nodes = [node for node in devnet.nodes if node.is_awake]
        if not nodes:
            raise DevnetError("no node is running that could send payments")
        self._payers = [_Payer(devnet.plan.spec, node, devnet.plan.count) for node in nodes]

    async def run(self, rate: float, seconds: float, wait_s: float, tell: Callable[[float, float], None]) -> Report:
        """Send transfers at this rate for this time; then wait at most `wait_s` for their blocks, if any node mines.
        `tell` is called with the number submitted and the total."""
        count = max(1, round(rate * seconds))
        begin = time.monotonic()
        following = [asyncio.create_task(payer.follow()) for payer in self._payers]
        telling = asyncio.create_task(self._tell(tell, count))
        try:
            each = len(self._payers)
            await asyncio.gather(
                *(
                    payer.pay([begin + number / rate for number in range(start, count, each)])
                    for start, payer in enumerate(self._payers)
                )
            )
            took = time.monotonic() - begin
            await self._wait_for_blocks(wait_s)
        finally:
            for task in (telling, *following):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        return self._report(max(took, seconds))

    @property
    def submitted(self) -> int:
        return sum(payer.submitted for payer in self._payers)

    async def _tell(self, tell: Callable[[float, float], None], count: int) -> None:
        while True:
            tell(self.submitted, count)
            await asyncio.sleep(POLL_S)

    async def _wait_for_blocks(self, wait_s: float) -> None:
        """Wait until all accepted transfers are in blocks, as long as another block may come."""
        if not any(await asyncio.gather(*(payer.sees_miner() for payer in self._payers))):
            wait_s = min(wait_s, WAIT_BLOCK_MS / 1000)
        give_up = time.monotonic() + wait_s
        while any(payer.pending for payer in self._payers):
            if time.monotonic() > give_up:
                return
            await asyncio.sleep(POLL_S)

    def _report(self, seconds: float) -> Report:
        refusals: Counter[str] = Counter()
        for payer in self._payers:
            refusals.update(payer.refusals)
        accepted = [each for payer in self._payers for each in payer.accepted_s]
        confirmed = [each for payer in self._payers for each in payer.confirmed_s]
        return Report(
            seconds=round(seconds, 3),
            submitted=self.submitted,
            accepted=len(accepted),
            refused=refusals.total(),
            unanswered=sum(payer.unanswered for payer in self._payers),
            confirmed=len(confirmed),
            accepted_in_ms=Latency.of(accepted),
            confirmed_in_ms=Latency.of(confirmed),
            refusals=dict(refusals),
        )


class _Payer:
    """One node's key, which pays the next node's."""

    def __init__(self, spec: ChainSpec, node: DevnetNode, nodes: int) -> None:
        self._spec = spec
        self._client = node.client
        self._key = node_key(node.index)
        self._address = node_address(spec, node.index)
        self._recipient = node_key((node.index + 1) % nodes).public_key
        self._seen: dict[str, None] = {}
        self.pending: dict[str, float] = {}
        """Accepted txids that are not in a block yet, with the time of submission."""
        self.submitted = 0
        self.unanswered = 0
        self.refusals: Counter[str] = Counter()
        self.accepted_s: list[float] = []
        self.confirmed_s: list[float] = []

    async def pay(self, moments: Sequence[float]) -> None:
        """Send a transfer at each of these times of the monotonic clock."""
        sequence: int | None = None
        fee = 0
        for moment in moments:
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            self.submitted += 1
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    if sequence is None:
                        sequence = (await self._client.account(self._address)).pending_sequence
                        least = (await self._client.mempool_info()).minrelaytxfee
                        fee = fee_for(Payment(self._recipient, AMOUNT, memo=MEMO).size, least)
                    await self._send(sequence, Payment(self._recipient, AMOUNT, fee, MEMO))
                sequence += 1
            except RefusedError as error:
                self.refusals[error.message] += 1
                sequence = None  # another program may pay with this key
            except (ClientError, TimeoutError):
                self.unanswered += 1
                sequence = None

    async def _send(self, sequence: int, payment: Payment) -> None:
        transfer = sign_transfer(self._key, self._spec.genesis_hash, sequence, payment)
        begin = time.monotonic()
        txid = await self._client.send(transfer.raw)
        self.accepted_s.append(time.monotonic() - begin)
        self.pending[txid] = begin

    async def follow(self) -> None:
        """Confirm pending transfers as they enter the node's chain, until cancelled."""
        tip: str | None = None
        while True:
            try:
                if tip is None:
                    tip = await self._client.call("getbestblockhash", result=str)
                    self._seen[tip] = None
                fresh = (await self._client.call("waitfornewblock", WAIT_BLOCK_MS, tip, result=_Tip)).hash
                await self._walk(fresh)
                tip = fresh
            except ClientError:
                await asyncio.sleep(POLL_S)

    async def sees_miner(self) -> bool:
        """Whether this node mines, even if not at this moment: between two blocks it has no template."""
        try:
            return (await self._client.mining_info()).miningaddress is not None
        except ClientError:
            return False

    async def _walk(self, tip: str) -> None:
        """Search the blocks from a tip back to those already searched."""
        block_hash: str | None = tip
        fresh: dict[str, None] = {}
        while block_hash is not None and block_hash not in self._seen and len(fresh) < MAX_WALK:
            block = await self._client.call("getblock", block_hash, 1, result=_Block)
            now = time.monotonic()
            fresh[block_hash] = None
            for txid in block.tx:
                begin = self.pending.pop(txid, None)
                if begin is not None:
                    self.confirmed_s.append(now - begin)
            block_hash = block.previousblockhash
        self._seen.update(fresh)  # only now: an interrupted walk must be repeated
