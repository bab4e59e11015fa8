"""Waiting for the chain: calls that return when the tip meets a condition, or when their time is up."""

from __future__ import annotations

from collections.abc import Callable

from pychain.api.backend import Backend
from pychain.api.errors import Code, RpcError
from pychain.base.errors import DecodeError
from pychain.base.time import NS, seconds
from pychain.chain.hashes import HASH_BYTES, hash_hex, parse_hash_hex
from pychain.ledger.tree import Entry
from pychain.node.events import NewTip

SAME_TIP_S = 60.0
"""How long a long poll waits only for a new tip, before better paying transfers count, as in Core."""
TRANSFERS_S = 10.0
"""How often to look for them from then on."""


async def wait_for_tip(backend: Backend, is_it: Callable[[Entry], bool], timeout_s: float | None) -> None:
    """Return when the durable tip satisfies `is_it`, or after the timeout. RpcError when the node stops meanwhile."""
    clock = backend.clock
    until_ns = None if timeout_s is None else clock.mono_ns() + seconds(timeout_s)
    with backend.subscribe(NewTip) as events:
        while not is_it(backend.queries.tip):
            left_s = None if until_ns is None else (until_ns - clock.mono_ns()) / NS
            if left_s is not None and left_s <= 0:
                return
            try:
                event = await events.next(left_s)
            except TimeoutError:
                return
            if event is None:
                raise RpcError(Code.MISC_ERROR, "the node is stopping, or too busy to wait on")


def long_poll_id(backend: Backend, prev_hash: bytes) -> str:
    """An id of a template's inputs: its previous block, and the state of the mempool."""
    return f"{hash_hex(prev_hash)}{backend.queries.mempool.revision}"


async def wait_for_template(backend: Backend, poll_id: str) -> None:
    """Return when there is a better template than the one with that id; at once if the id is unknown."""
    queries = backend.queries
    revision = poll_id[2 * HASH_BYTES :]
    try:
        built_on = queries.entry(parse_hash_hex(poll_id[: 2 * HASH_BYTES]))
    except DecodeError:
        return
    if built_on is None:
        return

    def moved(tip: Entry) -> bool:  # a template may be a step ahead of the durable tip
        return not built_on.descends_from(tip)

    patience = SAME_TIP_S
    while not moved(queries.tip):
        await wait_for_tip(backend, moved, patience)
        if str(queries.mempool.revision) != revision:
            return
        patience = TRANSFERS_S
