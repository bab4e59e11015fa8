"""Automatic mining on a development network: a block for each transfer that arrives, or one per interval."""

from __future__ import annotations

import logging
from typing import Literal

from pychain.api.backend import Backend
from pychain.api.errors import granted
from pychain.api.runtime import Task
from pychain.api.search import search_block
from pychain.base.errors import PychainError
from pychain.ledger.template import BlockTemplate
from pychain.node.events import Event, TransferAccepted
from pychain.node.requests import GetTemplate, SubmitBlock

_log = logging.getLogger(__name__)

Mode = Literal["off", "transaction"] | float
"""Off, a block for each transfer, or the seconds between blocks."""
TRIES = 1 << 24
"""Hashes tried for one block, far more than a development network needs."""


class Automine:
    """One per node."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._wanted = backend.signal()
        self._task: Task | None = None
        self.mode: Mode = "off"
        self.recipient: bytes | None = None
        """The key that the blocks pay, None while mining is off."""
        backend.listen(self._note)

    def set(self, mode: Mode, recipient: bytes) -> None:
        """Mine in this mode from now on, paying to a public key."""
        self.close()
        if mode == "off":
            return
        self.mode, self.recipient = mode, recipient
        mining = self._each_transfer(recipient) if isinstance(mode, str) else self._every(mode, recipient)
        self._task = self._backend.spawn(mining)

    def close(self) -> None:
        self.mode, self.recipient = "off", None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _note(self, event: Event) -> None:
        if isinstance(event, TransferAccepted):
            self._wanted.set()

    async def _every(self, seconds: float, recipient: bytes) -> None:
        while True:
            await self._backend.clock.sleep(seconds)
            await self._mine(recipient)

    async def _each_transfer(self, recipient: bytes) -> None:
        """Mine while transfers wait; those that arrive meanwhile are in the next block."""
        while True:
            while len(self._backend.queries.mempool):
                self._wanted.clear()
                if not await self._mine(recipient):
                    break
            await self._wanted.wait()
            self._wanted.clear()

    async def _mine(self, recipient: bytes) -> bool:
        """Whether a block was mined and became the tip."""
        try:
            template = await self._backend.ask(GetTemplate())
            granted(template)
            assert isinstance(template, BlockTemplate)
            block, _ = await search_block(self._backend, template, recipient, TRIES)
            if block is None:
                _log.warning("no block was found in %d hashes", TRIES)
                return False
            refused = await self._backend.ask(SubmitBlock(block.raw))
            granted(refused)
        except PychainError as error:
            _log.warning("no block was mined: %s", error)
            return False
        return refused is None
