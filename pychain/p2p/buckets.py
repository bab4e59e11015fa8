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
"""Hello and goodbye come once by the state table. Blocks are bounded by what we ask for; unasked ones count as messages
of any kind."""


def cost(message: Fields) -> int:
    """How many tokens of its kind a message takes: what it names or carries, where each of these costs us work."""
    match message:
        case Inv() | Want() | Missing():
            return len(message.hashes)
        case Txs():
            return len(message.transactions)
        case _:
            return 1


class MessageLimiter:
    """The buckets of all peers. A message over its rate should be ignored, and counts as flooding."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[int | None, TokenBucket]] = {}
        """By peer and kind; None is the bucket of all kinds together."""

    def allows(self, peer_id: int, message: Fields | None, mono_ns: int) -> bool:
        """Charge a message that just came, None for one of unknown type; False when the peer sends more of its kind, or
        of all kinds together, than anyone honest would.
        """
        if message is None:
            return self._bucket(peer_id, None, limits.MESSAGE_RATE, mono_ns).take(1, mono_ns)
        kind = STANDARD.types.get(type(message))  # a private message counts as one of any kind
        if kind == MessageType.BLOCK:  # its handler charges those that nobody asked for
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
