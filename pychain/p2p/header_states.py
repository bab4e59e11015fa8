"""The state of our header requests to a peer, as a table.

              ask               answered
    IDLE ───────────> ASKED ───────────────> CHECKING ── ask ──> CHECKING_ASK_AGAIN
     ^ ^                │                       │                        │
     │ └──── overdue ───┘                       │                        │
     └───────────────── checked ────────────────┴────────────────────────┘

Rules for editing this file
- Every state has a row. An event that is missing from it is a bug of ours: `next_state` asserts.
- Unrequested headers are announcements: they change no state here.
- Code that leaves CHECKING_ASK_AGAIN asks again.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class HeaderState(Enum):
    IDLE = "idle"
    """No request is pending."""
    ASKED = "asked"
    """An answer to get_headers is pending."""
    CHECKING = "checking"
    """The answer is here, and its headers are being checked."""
    CHECKING_ASK_AGAIN = "checking, ask again"
    """There was another reason to ask meanwhile: the peer is asked again once they are checked."""


class HeaderEvent(Enum):
    ASK = "ask"
    """There is a reason to ask the peer for headers."""
    ANSWERED = "answered"
    OVERDUE = "overdue"
    """The peer did not answer in time."""
    CHECKED = "checked"


TRANSITIONS: Final[dict[HeaderState, dict[HeaderEvent, HeaderState]]] = {
    HeaderState.IDLE: {
        HeaderEvent.ASK: HeaderState.ASKED,
    },
    HeaderState.ASKED: {
        HeaderEvent.ASK: HeaderState.ASKED,
        HeaderEvent.ANSWERED: HeaderState.CHECKING,
        HeaderEvent.OVERDUE: HeaderState.IDLE,
    },
    HeaderState.CHECKING: {
        HeaderEvent.ASK: HeaderState.CHECKING_ASK_AGAIN,
        HeaderEvent.CHECKED: HeaderState.IDLE,
    },
    HeaderState.CHECKING_ASK_AGAIN: {
        HeaderEvent.ASK: HeaderState.CHECKING_ASK_AGAIN,
        HeaderEvent.CHECKED: HeaderState.IDLE,
    },
}


def next_state(state: HeaderState, event: HeaderEvent) -> HeaderState:
    """The state after an event; an impossible event is a bug."""
    following = TRANSITIONS[state].get(event)
    assert following is not None, f"{event.value} cannot happen to a peer whose header sync is {state.value}"
    return following
