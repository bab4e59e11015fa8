"""What a peer owes us of headers, as a table of states.

              ask               answered
    IDLE ───────────> ASKED ───────────────> JUDGING ─── ask ──> JUDGING_ONCE_MORE
     ^ ^                │                       │                        │
     │ └──── overdue ───┘                       │                        │
     └────────────────── judged ────────────────┴────────────────────────┘

Rules for editing this file
- Every state has a row. An event that is not in it is a bug of ours: `next_state` asserts.
- Headers that come unasked are announcements: they change no state here.
- Whoever leaves JUDGING_ONCE_MORE asks again.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class HeaderState(Enum):
    IDLE = "idle"
    """It owes us nothing."""
    ASKED = "asked"
    """It owes us an answer to get_headers."""
    JUDGING = "judging"
    """Its answer is here, and its headers are being judged."""
    JUDGING_ONCE_MORE = "judging once more"
    """Meanwhile there was another reason to ask it: it is asked again when they are judged."""


class HeaderEvent(Enum):
    ASK = "ask"
    """There is a reason to ask it for headers."""
    ANSWERED = "answered"
    OVERDUE = "overdue"
    """It did not answer in time."""
    JUDGED = "judged"


TRANSITIONS: Final[dict[HeaderState, dict[HeaderEvent, HeaderState]]] = {
    HeaderState.IDLE: {
        HeaderEvent.ASK: HeaderState.ASKED,
    },
    HeaderState.ASKED: {
        HeaderEvent.ASK: HeaderState.ASKED,
        HeaderEvent.ANSWERED: HeaderState.JUDGING,
        HeaderEvent.OVERDUE: HeaderState.IDLE,
    },
    HeaderState.JUDGING: {
        HeaderEvent.ASK: HeaderState.JUDGING_ONCE_MORE,
        HeaderEvent.JUDGED: HeaderState.IDLE,
    },
    HeaderState.JUDGING_ONCE_MORE: {
        HeaderEvent.ASK: HeaderState.JUDGING_ONCE_MORE,
        HeaderEvent.JUDGED: HeaderState.IDLE,
    },
}


def next_state(state: HeaderState, event: HeaderEvent) -> HeaderState:
    """Where `event` leads from `state`; an impossible one is a bug."""
    following = TRANSITIONS[state].get(event)
    assert following is not None, f"{event.value} cannot happen to a peer whose header sync is {state.value}"
    return following
