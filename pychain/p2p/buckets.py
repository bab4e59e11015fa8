"""Token buckets: what a peer may send of each kind of message, in integers."""

from __future__ import annotations

from typing import Final

from pychain.p2p import limits
from pychain.p2p.limits import Rate
from pychain.p2p.messages import Inv, Message, MessageType, Missing, Txs, Want, type_of

MESSAGE_RATES: Final[dict[MessageType, Rate]] = {
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


class TokenBucket:
    """Holds up to `rate.burst` tokens and gains `rate.tokens` every `rate.period_ns`; no rounding is ever lost.

    The level is kept in parts of a token: `period_ns` parts make one token, and `tokens` parts come in each ns.
    """

    __slots__ = ("_level", "_rate", "_updated_ns")

    def __init__(self, rate: Rate, mono_ns: int, initial: int | None = None) -> None:
        """`initial` tokens, by default a full burst."""
        self._rate = rate
        self._level = (rate.burst if initial is None else initial) * rate.period_ns
        self._updated_ns = mono_ns

    def available(self, mono_ns: int) -> int:
        """Whole tokens there now."""
        ceiling = self._rate.burst * self._rate.period_ns
        if self._level < ceiling:  # what was added beyond the burst stays, but does not grow
            gained = (mono_ns - self._updated_ns) * self._rate.tokens
            self._level = min(self._level + gained, ceiling)
        self._updated_ns = mono_ns
        return self._level // self._rate.period_ns

    def take(self, count: int, mono_ns: int) -> bool:
        """Take `count` tokens if they are all there."""
        if self.available(mono_ns) < count:
            return False
        self._level -= count * self._rate.period_ns
        return True

    def add(self, count: int, mono_ns: int) -> None:
        """Put in `count` tokens at once, up to two bursts in all."""
        self.available(mono_ns)
        self._level = min(self._level + count * self._rate.period_ns, 2 * self._rate.burst * self._rate.period_ns)


def cost(message: Message) -> int:
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
        self._buckets: dict[int, dict[MessageType | None, TokenBucket]] = {}
        """By peer and kind; None is the bucket of all kinds together."""

    def allows(self, peer_id: int, message: Message | None, mono_ns: int) -> bool:
        """Charge a message that just came, None for one of unknown type; False when the peer sends more of its kind, or
        of all kinds together, than anyone honest would.
        """
        if message is None:
            return self._bucket(peer_id, None, limits.MESSAGE_RATE, mono_ns).take(1, mono_ns)
        kind = type_of(message)
        if kind is MessageType.BLOCK:  # its owner charges those that nobody asked for
            return True
        if not self.allows(peer_id, None, mono_ns):
            return False
        rate = MESSAGE_RATES.get(kind)
        return rate is None or self._bucket(peer_id, kind, rate, mono_ns).take(cost(message), mono_ns)

    def _bucket(self, peer_id: int, kind: MessageType | None, rate: Rate, mono_ns: int) -> TokenBucket:
        buckets = self._buckets.setdefault(peer_id, {})
        bucket = buckets.get(kind)
        if bucket is None:
            bucket = buckets[kind] = TokenBucket(rate, mono_ns)
        return bucket

    def peer_closed(self, peer_id: int) -> None:
        self._buckets.pop(peer_id, None)
