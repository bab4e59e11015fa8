"""The bounds of the Stratum server, with their reasons. Spans end in `_S` (seconds) or `_NS`."""

from __future__ import annotations

from typing import Final

from pychain.base.rate import Rate
from pychain.base.time import NS

# --- lines

MAX_LINE_BYTES: Final = 4096
"""The longest honest message, an `authorize` with long names, is a tenth of this."""
RECEIVE_BYTES: Final = 16 * 1024
"""The one receive buffer, which also bounds a single read."""
MESSAGE_RATE: Final = Rate(tokens=20, period_ns=NS, burst=60)
"""Messages of one connection. When they are used up, reading pauses: nothing is lost, the sender waits. The target is a
share in ten seconds; sixty checks in a row take the loop about 6 ms."""
MAX_UNSENT_BYTES: Final = 128 * 1024
"""Unread answers and jobs (under 2 KB each) at which a connection is dropped: a working miner reads."""
MAX_FAULTS: Final = 10
"""Lines that are not messages, or call unknown methods: the other end does not speak Stratum."""
MAX_BAD_SHARES: Final = 100
"""Consecutive shares that could never count (malformed, too easy, repeated): a broken miner, or not a miner."""

# --- connections

MAX_CONNECTIONS: Final = 4096
"""About 10 KB each; a full round of new jobs takes a few tens of milliseconds, in slices."""
MAX_CONNECTIONS_A_HOST: Final = 1024
"""A farm behind one address has hundreds; more come through a proxy, which is one connection."""
LOGIN_TIMEOUT_NS: Final = 120 * NS
"""Time to subscribe and authorize, enough to type the messages by hand. When all slots are taken, connections that have
not done so are closed first."""
KEEPALIVE_S: Final = 60
"""Idle time before TCP keep-alive probes; a miner may be silent for hours."""
MAX_USERS_A_CONNECTION: Final = 16
"""Workers per connection."""
MAX_WORKERS: Final = 2048
"""Workers kept with their shares; beyond it, those disconnected longest are dropped."""
MAX_NAME_CHARACTERS: Final = 128
"""Characters of a user name: 63 for the address, the rest for the worker's name."""
MAX_AGENT_CHARACTERS: Final = 64
"""Characters kept of a miner's user agent."""

# --- jobs

REFRESH_S: Final = 30.0
"""The longest time without a new job: it includes new transfers, and minerd stops after 120 s without one."""
POLL_S: Final = 1.0
"""While there is no work: how often to retry a node that is syncing, or whose chain is ahead of its clock."""
NEXT_JOB_S: Final = 1.0
"""How long the answer to a block waits for the next job, which takes a few milliseconds."""
SWEEP_S: Final = 2.0
"""How often connections are checked for timeouts and idle retargets."""
SLICE_CONNECTIONS: Final = 64
"""Connections served per turn of the loop in a round over all: a millisecond or two."""
MANY_TRANSFERS: Final = 1000
"""From this size on, a template's merkle branch is computed on a thread (25,000 transfers take some 10 ms)."""
MAX_SENT_JOBS: Final = 16
"""Jobs of one connection for which shares are still accepted while the tip is the same: eight minutes of them. Jobs on
earlier tips are kept too, so that a repeated share is rejected as a duplicate."""

EXTRANONCE1_BYTES: Final = 4
EXTRANONCE2_BYTES: Final = 4
"""Supported by every miner; 2^64 headers for each connection and job."""

# --- difficulty

START_DIFFICULTY: Final = 2.0**-10
"""Four million hashes: seconds in Python, and the retarget adapts to faster miners as quickly."""
SHARE_PERIOD_S: Final = 10
"""One share in ten seconds: an estimate of the hash rate within 20% after four minutes, and little traffic."""
RETARGET_WINDOW_S: Final = 120
"""The longest time between retargets; twelve shares are expected in it."""
RETARGET_SHARES: Final = 24
"""Shares that trigger an early retarget: twice as many as expected, so the difficulty is too low."""
MAX_RETARGET_FACTOR: Final = 16.0
"""The largest step. A few shares in one read say little about time; a few steps suffice for any miner."""
IDLE_DIFFICULTY: Final = 2.0**-20
"""The lowest automatic difficulty: 4,096 hashes, half a second in pure Python."""

RATE_SPAN_S: Final = 300
"""The hash rate estimate weights shares by age over this span: thirty shares, a standard error of 18%."""
