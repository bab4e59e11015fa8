"""Message rates: what a peer may send of each kind of message."""

from __future__ import annotations

from typing import Final

from pychain.base.rate import Rate, TokenBucket
from pychain.p2p import limits
from pychain.p2p.messages import STANDARD, Fields, Inv, MessageType, Missing, Txs, Want

MESSAGE_RATES: Final[dict[int, Rate]] = {
    MessageType.PING: limits.PING_RATE,
    MessageType.PONG: limits.PING_RATE,
    MessageType.GET_ADDRS: limits.GET_ADDRS_RATE,
    MessageType.ADDRS: limits.ADDRS_MESSAGE_RATE,
    MessageType.INV: limits.INV_RATE,
    MessageType.WANT: limits.WANT_RATE,
    MessageType.MISSING: limits.WANT_RATE,
    MessageType.TXS: limits.TXS_RATE,
    MessageType.GET_HEADERS: limits.GET_HEADERS_RATE,
    MessageType.HEADERS: limits.HEADERS_RATE,
    MessageType.FEE_FILTER: limits.FEE_FILTER_RATE,
}
"""The state table lets hello and goodbye come only once. Blocks are bounded by our requests; unrequested blocks are
charged to the bucket of all kinds."""


def cost(message: Fields) -> int:
    """The tokens that a message costs: the number of objects it names or carries, where each means work for us."""
    match message:
        case Inv() | Want() | Missing():
            return len(message.hashes)
        case Txs():
            return len(message.transactions)
        case _:
            return 1


class MessageLimiter:
    """The token buckets of all peers. A message over its rate is to be ignored and counted as flooding."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[int | None, TokenBucket]] = {}
        """By peer and kind; None for the bucket of all kinds."""

    def allows(self, peer_id: int, message: Fields | None, mono_ns: int) -> bool:
        """Charge a message that just came (None: of an unknown type); False when it exceeds the rate of its kind, or of
        all kinds, which no honest peer does.
        """
        if message is None:
            return self._bucket(peer_id, None, limits.MESSAGE_RATE, mono_ns).take(1, mono_ns)
        kind = STANDARD.types.get(type(message))  # a private message is charged to the bucket of all kinds
        if kind == MessageType.BLOCK:  # its handler charges unrequested blocks
            return True
        if not self.allows(peer_id, None, mono_ns):
            return False
        rate = None if kind is None else MESSAGE_RATES.get(kind)
        return rate is None or self._bucket(peer_id, kind, rate, mono_ns).take(cost(message), mono_ns)

    def _bucket(self, peer_id: int, kind: int | None, rate: Rate, mono_ns: int) -> TokenBucket:
        buckets = self._buckets.setdefault(peer_id, {})
        bucket = buckets.get(kind)
        if bucket is None:
            bucket = buckets[kind] = TokenBucket(rate, mono_ns)
        return bucket

    def peer_closed(self, peer_id: int) -> None:
        self._buckets.pop(peer_id, None)
