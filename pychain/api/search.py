"""Blocks on demand: the native search on a thread, which ends if its caller goes away."""

from __future__ import annotations

from typing import NamedTuple

from pychain import native
from pychain.api.backend import Backend
from pychain.base.entropy import Entropy
from pychain.chain.block import Block
from pychain.chain.transaction import MIN_EXTRA_BYTES
from pychain.ledger.template import BlockTemplate

NONCES = 2**32


class Search(NamedTuple):
    """The result of a search. `block` is None if the tries were used up."""

    block: Block | None
    tries: int


async def search_block(backend: Backend, template: BlockTemplate, recipient: bytes, max_tries: int) -> Search:
    """Solve a template that pays to a 32-byte key, in the most to return hashes. Cancelling ends the search."""
    stop = native.StopFlag()
    try:
        return await backend.aside(lambda: search(backend.entropy, template, recipient, max_tries, stop))
    finally:
        stop.set()


def search(
    entropy: Entropy, template: BlockTemplate, recipient: bytes, max_tries: int, stop: native.StopFlag
) -> Search:
    """The search itself, until it finishes or the flag is set."""
    tries = 0
    while tries < max_tries and not stop.is_set():
        coinbase = template.coinbase(recipient, entropy.bytes(MIN_EXTRA_BYTES))
        header = template.header_prefix(coinbase, template.time)
        nonce, done = native.search(header, template.target, 0, min(NONCES, max_tries - tries), stop)
        tries += done
        if nonce is not None:
            return Search(template.block(coinbase, template.time, nonce), tries)
    return Search(None, tries)
