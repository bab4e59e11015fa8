"""The life of a connection as two tables: which event leads where, and which message may come when.

               secured                  hello accepted
    SECURING ───────────> AWAITING_HELLO ───────────────> READY
       │                        │                           │
       └────── hang up ─────────┴──> CLOSING <──────────────┘
                                        │
       any but CLOSED ──── closed ──> CLOSED

A dial has no stream, hence no state here: `slots` keeps the addresses that are being dialled.

Rules for editing this file
- Every state has a row in both tables, even an empty one.
- An event that is not in a state's row is a bug of ours: `next_state` asserts.
- A message that is not in a state's row is a fault of the peer: a protocol error, raised by who reads the message.
- Private messages and those of unknown type belong to READY alone: unknown ones are ignored there, and are a protocol
  error before hello.
- No state means "half in another": what a sub-protocol waits for is kept by its manager.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from pychain.p2p.messages import MessageType


class PeerState(Enum):
    SECURING = "securing"
    """The stream is open; the channel's handshake is under way. Nothing can be said yet, not even goodbye."""
    AWAITING_HELLO = "awaiting hello"
    """The channel stands; each side sends its hello unasked."""
    READY = "ready"
    """Both hellos are accepted."""
    CLOSING = "closing"
    """Goodbye was said; what still comes in is not read."""
    CLOSED = "closed"


class PeerEvent(Enum):
    SECURED = "secured"
    """The channel is established, with whom it should be."""
    HELLO_ACCEPTED = "hello accepted"
    HANG_UP = "hang up"
    """We end the connection, or the peer said goodbye."""
    CLOSED = "closed"
    """The world reports that the stream is gone."""


TRANSITIONS: Final[dict[PeerState, dict[PeerEvent, PeerState]]] = {
    PeerState.SECURING: {
        PeerEvent.SECURED: PeerState.AWAITING_HELLO,
        PeerEvent.HANG_UP: PeerState.CLOSING,
        PeerEvent.CLOSED: PeerState.CLOSED,
    },
    PeerState.AWAITING_HELLO: {
        PeerEvent.HELLO_ACCEPTED: PeerState.READY,
        PeerEvent.HANG_UP: PeerState.CLOSING,
        PeerEvent.CLOSED: PeerState.CLOSED,
    },
    PeerState.READY: {
        PeerEvent.HANG_UP: PeerState.CLOSING,
        PeerEvent.CLOSED: PeerState.CLOSED,
    },
    PeerState.CLOSING: {
        PeerEvent.CLOSED: PeerState.CLOSED,
    },
    PeerState.CLOSED: {},
}

MAY_COME: Final[dict[PeerState, frozenset[MessageType]]] = {
    PeerState.SECURING: frozenset(),
    PeerState.AWAITING_HELLO: frozenset({MessageType.HELLO, MessageType.GOODBYE}),
    PeerState.READY: frozenset(MessageType) - {MessageType.HELLO},
    PeerState.CLOSING: frozenset(),
    PeerState.CLOSED: frozenset(),
}


def next_state(state: PeerState, event: PeerEvent) -> PeerState:
    """Where `event` leads from `state`; an impossible one is a bug."""
    following = TRANSITIONS[state].get(event)
    assert following is not None, f"{event.value} cannot happen to a connection that is {state.value}"
    return following
