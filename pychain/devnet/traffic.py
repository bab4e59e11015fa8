"""Transfers between the nodes' keys, to have something to mine and to relay."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from pychain.chain.spec import ChainSpec
from pychain.client import Client, ClientError, RefusedError
from pychain.devnet.keys import node_address, node_key
from pychain.wallet.payment import Payment, fee_for, sign_transfer

AMOUNT = 1_000_000
"""A hundredth of a coin: a reward pays for thousands."""
MEMO = b"devnet"
ANSWER_TIMEOUT_S = 2.0
"""A paused or killed node delays the others' transfers by at most this."""


class Traffic:
    """Pays in turn from each node's key to the next one's, through the payer's own node."""

    def __init__(self, spec: ChainSpec, client: Callable[[int], Client], nodes: int) -> None:
        self._spec = spec
        self._client = client
        self._nodes = nodes
        self.sent = 0
        """The number of accepted transfers."""

    async def run(self, per_second: float) -> None:
        """Send at this rate until cancelled, skipping keys without coins and nodes that are down."""
        for index in itertools.cycle(range(self._nodes)):
            await asyncio.sleep(1 / per_second)
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    self.sent += await self.pay(index)
            except (ClientError, TimeoutError):
                continue

    async def pay(self, payer: int) -> bool:
        """One transfer from a node's key to the next node's; False if it cannot be paid."""
        client = self._client(payer)
        info = await client.mempool_info()
        account = await client.account(node_address(self._spec, payer))
        recipient = node_key((payer + 1) % self._nodes).public_key
        payment = Payment(recipient, AMOUNT, memo=MEMO)
        payment = Payment(recipient, AMOUNT, fee_for(payment.size, info.minrelaytxfee), MEMO)
        if account.available < payment.amount + payment.fee:
            return False
        transfer = sign_transfer(node_key(payer), self._spec.genesis_hash, account.pending_sequence, payment)
        try:
            await client.send(transfer.raw)
        except RefusedError:  # the account's sequence moved meanwhile, or it has the maximum of pending transfers
            return False
        return True
