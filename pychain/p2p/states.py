"""The states of a connection as two tables: where each event leads, and which messages each state allows.

               secured                  hello accepted
    SECURING ───────────> AWAITING_HELLO ───────────────> READY
       │                        │                           │
       └────── hang up ─────────┴──> CLOSING <──────────────┘
                                        │
       any but CLOSED ──── closed ──> CLOSED

A pending dial has no stream, hence no state here: `slots` keeps the addresses that are being dialled.

Rules for editing this file
- Every state has a row in both tables, even an empty one.
- An event that is missing from a state's row is a bug of ours: `next_state` asserts.
- A message that is missing from a state's row is a protocol error of the peer, raised where the message is read.
- Private messages and those of unknown type are only allowed in READY: unknown ones are ignored there, and are a
  protocol error before hello.
- A state of a sub-protocol is kept by its manager, not here.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from pychain.p2p.messages import MessageType


class PeerState(Enum):
    SECURING = "securing"
    """The stream is open, and the channel's handshake in progress. No message can be sent yet, not even goodbye."""
    AWAITING_HELLO = "awaiting hello"
    """The channel is established; each side sends its hello unprompted."""
    READY = "ready"
    """Both hellos are accepted."""
    CLOSING = "closing"
    """Goodbye was sent or received; further input is not read."""
    CLOSED = "closed"


class PeerEvent(Enum):
    SECURED = "secured"
    """The channel is established, with the right identity."""
    HELLO_ACCEPTED = "hello accepted"
    HANG_UP = "hang up"
    """We end the connection, or the peer said goodbye."""
    CLOSED = "closed"
    """The runtime reports that the stream is gone."""


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
    """The state after an event; an impossible event is a bug."""
    following = TRANSITIONS[state].get(event)
    assert following is not None, f"{event.value} cannot happen to a connection that is {state.value}"
    return following
