"""The channel: what stands between a peer's byte stream and its frames.

A channel does no I/O. Bytes of the stream go in and plaintext comes out; what it wants to send itself, its handshake,
waits in `output`. When it is established it knows who the other side is, if its handshake proves that. The limits of a
handshake (`limits.CHANNEL_TIMEOUT_NS`, `limits.MAX_CHANNEL_HANDSHAKE`) are the owner's to enforce, the same for every
kind of channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pychain.base.entropy import Entropy
from pychain.base.errors import DecodeError
from pychain.p2p.endpoint import PeerId


class ChannelError(DecodeError):
    """The other side does not speak this channel's protocol, or is not who it should be."""


class Channel(Protocol):
    """One end of a connection's channel."""

    @property
    def established(self) -> bool:
        """Whether the handshake is complete: `seal` may be called."""
        ...

    @property
    def remote(self) -> PeerId | None:
        """Who the other side has proved to be; None before that, and where the channel proves nothing."""
        ...

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the stream, cut anywhere; the plaintext that they complete. ChannelError where they cannot be
        what the other side should send."""
        ...

    def seal(self, plaintext: bytes) -> bytes:
        """Plaintext as bytes for the stream. Only once the channel is established."""
        ...

    def output(self) -> bytes:
        """Handshake bytes that are to be sent now, each once; empty when there are none. Asked when the connection
        opens and after each `receive`."""
        ...


ChannelFactory = Callable[[bool, Entropy], Channel]
"""Makes the channel of a new connection: whether we dialled, and a source of entropy."""


class PlainChannel:
    """No handshake, no secrecy, no identity: the stream itself."""

    established = True
    remote: PeerId | None = None

    def receive(self, data: bytes) -> bytes:
        return data

    def seal(self, plaintext: bytes) -> bytes:
        return plaintext

    def output(self) -> bytes:
        return b""


def plain_channel(dialled: bool, entropy: Entropy) -> Channel:
    """A `ChannelFactory`."""
    return PlainChannel()
