"""The channel: the layer between a peer's byte stream and its frames, which may encrypt and authenticate.

A channel does no I/O. Bytes of the stream go in and plaintext comes out; its own handshake bytes are taken from
`output`. Once established, it knows the remote identity, if its handshake proves one. The owner enforces the limits of
a handshake (`limits.CHANNEL_TIMEOUT_NS`, `limits.MAX_CHANNEL_HANDSHAKE`), which are the same for every kind of channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pychain.base.entropy import Entropy
from pychain.base.errors import DecodeError
from pychain.p2p.endpoint import PeerId


class ChannelError(DecodeError):
    """The remote side does not speak this channel's protocol, or has the wrong identity."""


class Channel(Protocol):
    """One end of a connection's channel."""

    @property
    def established(self) -> bool:
        """Whether the handshake is complete: `seal` may be called."""
        ...

    @property
    def remote(self) -> PeerId | None:
        """The identity that the remote side has proved; None before that, and where the channel proves nothing."""
        ...

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the stream, cut anywhere; returns the plaintext that they complete. Raises `ChannelError` where
        they break the channel's protocol."""
        ...

    def seal(self, plaintext: bytes) -> bytes:
        """Turn plaintext into bytes for the stream. Only once the channel is established."""
        ...

    def output(self) -> bytes:
        """Take the handshake bytes to send now, if any. Called when the connection opens and after each `receive`."""
        ...


ChannelFactory = Callable[[bool, Entropy], Channel]
"""Makes the channel of a new connection, given whether we dialled, and a source of entropy."""


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
