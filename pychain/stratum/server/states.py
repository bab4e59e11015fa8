"""The states of a miner's connection as a table: what it has sent so far, and what it may do.

                  subscribe
       CONNECTED ───────────> SUBSCRIBED
           │                      │
           │ authorize            │ authorize
           v                      v
       AUTHORIZED ──────────>   READY          shares are accepted only in READY
                  subscribe

Both steps may be repeated. A closed connection has no state.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from pychain.stratum.messages import ErrorCode


class SessionState(Enum):
    CONNECTED = "connected"
    SUBSCRIBED = "subscribed"
    AUTHORIZED = "authorized"
    READY = "ready"


class SessionEvent(Enum):
    SUBSCRIBED = "subscribed"
    AUTHORIZED = "authorized"


TRANSITIONS: Final[dict[SessionState, dict[SessionEvent, SessionState]]] = {
    SessionState.CONNECTED: {
        SessionEvent.SUBSCRIBED: SessionState.SUBSCRIBED,
        SessionEvent.AUTHORIZED: SessionState.AUTHORIZED,
    },
    SessionState.SUBSCRIBED: {
        SessionEvent.SUBSCRIBED: SessionState.SUBSCRIBED,
        SessionEvent.AUTHORIZED: SessionState.READY,
    },
    SessionState.AUTHORIZED: {
        SessionEvent.SUBSCRIBED: SessionState.READY,
        SessionEvent.AUTHORIZED: SessionState.AUTHORIZED,
    },
    SessionState.READY: {
        SessionEvent.SUBSCRIBED: SessionState.READY,
        SessionEvent.AUTHORIZED: SessionState.READY,
    },
}

WHY_NO_SHARE: Final[dict[SessionState, ErrorCode | None]] = {
    SessionState.CONNECTED: ErrorCode.NOT_SUBSCRIBED,
    SessionState.SUBSCRIBED: ErrorCode.UNAUTHORIZED,
    SessionState.AUTHORIZED: ErrorCode.NOT_SUBSCRIBED,
    SessionState.READY: None,
}
"""The error code for a share that comes too early."""
