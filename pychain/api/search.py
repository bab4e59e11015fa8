"""Blocks on demand: the native search on a thread of its own, ended with whoever asked for it."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from pychain import native
from pychain.chain.block import Block
from pychain.chain.transaction import MIN_EXTRA_BYTES
from pychain.ledger.template import BlockTemplate
from pychain.system.entropy import SystemEntropy

NONCES = 2**32


class Search(NamedTuple):
    """What a search came to. `block` is None where the tries did not suffice."""

    block: Block | None
    tries: int


async def search_block(template: BlockTemplate, recipient: bytes, max_tries: int) -> Search:
    """Solve a template that pays to a 32-byte key, in at most so many hashes. Cancelling ends the search."""
    stop = native.StopFlag()
    try:
        return await asyncio.to_thread(_search, template, recipient, max_tries, stop)
    finally:
        stop.set()


def _search(template: BlockTemplate, recipient: bytes, max_tries: int, stop: native.StopFlag) -> Search:
    tries = 0
    while tries < max_tries and not stop.is_set():
        coinbase = template.coinbase(recipient, SystemEntropy().bytes(MIN_EXTRA_BYTES))
        header = template.header_prefix(coinbase, template.time)
        nonce, done = native.search(header, template.target, 0, min(NONCES, max_tries - tries), stop)
        tries += done
        if nonce is not None:
            return Search(template.block(coinbase, template.time, nonce), tries)
    return Search(None, tries)
