"""Every bound of the Stratum server, each a named constant with its reason. Spans end in `_S` (seconds) or `_NS`."""

from __future__ import annotations

from typing import Final

from pychain.base.rate import Rate
from pychain.base.time import NS

# --- lines

MAX_LINE_BYTES: Final = 4096
"""The longest honest message, an `authorize` with long names, is a tenth of it."""
RECEIVE_BYTES: Final = 16 * 1024
"""The one receive buffer: with it, what one read can bring is bounded too."""
MESSAGE_RATE: Final = Rate(tokens=20, period_ns=NS, burst=60)
"""Messages of one connection. Its reading pauses when they are used up: nothing is lost, the sender just waits. The
target is a share in ten seconds; sixty checked in a row take the loop about 6 ms."""
MAX_UNSENT_BYTES: Final = 128 * 1024
"""Unread answers and jobs (under 2 KB each) at which a connection is dropped: whoever mines reads."""
MAX_FAULTS: Final = 10
"""Lines that are no message, or name no method that we know: the other end speaks something else."""
MAX_BAD_SHARES: Final = 100
"""Shares in a row that could never have counted (malformed, too easy, repeated): a broken miner, or no miner."""

# --- connections

MAX_CONNECTIONS: Final = 4096
"""Some 10 KB each; a full round of new jobs takes a few tens of milliseconds, in slices."""
MAX_CONNECTIONS_A_HOST: Final = 1024
"""A farm behind one address has hundreds; more come through a proxy, which is one connection."""
LOGIN_TIMEOUT_NS: Final = 120 * NS
"""To subscribe and authorize. A person who types the messages by hand makes it; while all places are taken, those who
have not are the first to go."""
KEEPALIVE_S: Final = 60
"""Idle time after which the system asks whether the other end still exists; a miner may be silent for hours."""
MAX_USERS_A_CONNECTION: Final = 16
"""Workers that one connection may speak for."""
MAX_WORKERS: Final = 2048
"""Workers remembered with their shares; beyond it, those gone longest are forgotten."""
MAX_NAME_CHARACTERS: Final = 128
"""Of a user name: an address has 63, a worker's name what is left."""
MAX_AGENT_CHARACTERS: Final = 64
"""Kept of what a miner calls itself."""

# --- jobs

REFRESH_S: Final = 30.0
"""A new job at the latest: transfers that came meanwhile are in it, and minerd stops at 120 s without one."""
POLL_S: Final = 1.0
"""While there is no work: how soon a node hands it out that was syncing, or whose chain was ahead of its clock."""
NEXT_JOB_S: Final = 1.0
"""How long the answer to a block waits for the job after it, which takes some milliseconds."""
SWEEP_S: Final = 2.0
"""How often connections are looked through for timeouts and idle retargets."""
SLICE_CONNECTIONS: Final = 64
"""Connections that one turn of the loop serves in a round over all: a millisecond or two."""
MANY_TRANSFERS: Final = 1000
"""From here on a template's merkle branch is folded on a thread (25,000 transfers take some 10 ms)."""
MAX_SENT_JOBS: Final = 16
"""Jobs of one connection that shares are still taken for, while the tip stands: eight minutes of them. Those on earlier
tips are known too, so that a share which comes twice is called by its name."""

EXTRANONCE1_BYTES: Final = 4
EXTRANONCE2_BYTES: Final = 4
"""What every miner takes; 2^64 headers' worth of nonces for each connection and job."""

# --- difficulty

START_DIFFICULTY: Final = 2.0**-10
"""Four million hashes: seconds for a program in Python, and the retarget finds everyone else as soon."""
SHARE_PERIOD_S: Final = 10
"""One share in ten seconds: an estimate of the hash rate within 20% after four minutes, and little traffic."""
RETARGET_WINDOW_S: Final = 120
"""A retarget at the latest; twelve shares are expected in it."""
RETARGET_SHARES: Final = 24
"""Shares after which it comes early: twice what the window expects, so the difficulty is too low."""
MAX_RETARGET_FACTOR: Final = 16.0
"""One step. A few shares in one read say little about time; a few steps reach any miner."""
IDLE_DIFFICULTY: Final = 2.0**-20
"""Lower than this it never falls by itself: 4,096 hashes, half a second of pure Python."""

RATE_SPAN_S: Final = 300
"""The hash rate's estimate weighs a share by its age over this span: thirty of them, a standard error of 18%."""
