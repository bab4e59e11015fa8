"""Every bound of the peer protocol, each a named constant with its reason.

Durations end in `_NS` and are nanoseconds. They fit networks from one block a second to one a minute; the few that must
follow the network's pace are functions of its chain spec.
"""

from __future__ import annotations

from typing import Final

from pychain.base.rate import Rate
from pychain.base.time import seconds

KIB: Final = 1024

# --- protocol versions

PROTOCOL_VERSION: Final = 1
"""The version we speak; it grows when a message changes its meaning, not when one is added."""

MIN_PROTOCOL_VERSION: Final = 1
"""The oldest version we still serve."""

# --- frames

LENGTH_BYTES: Final = 4
"""Width of a frame's big-endian length."""

FRAME_LIMIT_BEFORE_HELLO: Final = 4 * KIB
"""A hello takes under 1 KiB, so a peer that has not sent it gets no more of our memory than this."""

FRAME_FLOOR: Final = 256 * KIB
"""Room for the largest message that is not a block (2,000 headers, 160 KiB), however small the network's blocks are."""

FRAME_SLACK: Final = 64 * KIB
"""Type byte, MessagePack heads and fields beside the largest payload."""


def frame_limit(max_block_bytes: int) -> int:
    """The largest frame payload after hello, in bytes, on a network with blocks of at most `max_block_bytes`."""
    return max(max_block_bytes, FRAME_FLOOR) + FRAME_SLACK


def send_queue_limit(max_block_bytes: int) -> int:
    """Unsent bytes at which a peer is disconnected: four full frames. A peer that reads at all never falls so far
    behind, because nothing more is served to it while half of this is queued (`send_queue_pause`)."""
    return 4 * frame_limit(max_block_bytes)


def send_queue_pause(max_block_bytes: int) -> int:
    """Unsent bytes above which no further block or transaction is served, so that a peer's own requests cannot get it
    disconnected."""
    return send_queue_limit(max_block_bytes) // 2


# --- counts and sizes inside messages

HASH_BYTES: Final = 32
HEADER_BYTES: Final = 80

MAX_HEADERS: Final = 2000
"""Headers in one message (Bitcoin's number): 160 KB, milliseconds of hashing; a shorter answer means "no more"."""

MAX_LOCATOR: Final = 101
"""Hashes in a locator: ten consecutive ones, then doubling steps, cover 2^32 blocks with 42 (Core allows 101)."""

MAX_INV: Final = 1000
"""Hashes in one inv, want or missing: 34 KB; so the work to serve one `want` is bounded."""

MAX_TXS: Final = 1000
"""Raw transactions in one message: as many as one `want` can name."""

MAX_TX_BYTES: Final = 4 * KIB
"""One raw transaction on the wire. The consensus rules are stricter; this only bounds what reaches them."""

TXS_BATCH_BYTES: Final = 128 * KIB
"""Raw transactions are sent in messages of about this size, so that a ping never waits behind a long frame."""

MAX_ADDRS: Final = 1000
"""Addresses in one message (Bitcoin's number)."""

MAX_AGENT: Final = 256
"""Characters of the agent string (Bitcoin's number): it is stored for each peer and printed in logs."""

MAX_ADDRESS_TEXT: Final = 128
"""Characters of a multiaddr on the wire: an IPv6 one with a peer id takes 112."""

MAX_GOODBYE_CODE: Final = 32
"""Characters of a goodbye's code, with room for codes we do not know yet."""

MAX_GOODBYE_TEXT: Final = 256
"""Characters of a goodbye's text; naming two genesis hashes takes 200."""

MAX_DNS_NAME: Final = 253
"""Characters of a host name (RFC 1035, 255 octets on the wire)."""

# --- connection life

DIAL_TIMEOUT_NS: Final = seconds(5)
"""A TCP connect that has not completed: three SYN retransmissions."""

CHANNEL_TIMEOUT_NS: Final = seconds(10)
"""From the open stream to the end of the channel's handshake: many times two round trips on the slowest link."""

MAX_CHANNEL_HANDSHAKE: Final = 4 * KIB
"""Bytes that the other side may send before the channel is established; a Noise handshake takes a few hundred."""

HELLO_TIMEOUT_NS: Final = seconds(10)
"""From the established channel to the peer's hello; a silent peer must not hold a slot."""

PING_INTERVAL_NS: Final = seconds(15)
"""Default mean time between pings; each is drawn between 0.5 and 1.5 times this, so that the pings of many peers spread
out."""

PING_TIMEOUT_NS: Final = seconds(45)
"""A connection without a pong for this long is dead. Longer than a short partition or a busy machine; other peers are
asked for what a silent peer does not deliver within the request timeouts, far earlier."""

# --- connection slots

MAX_OUTBOUND: Final = 8
"""Automatic outbound connections (Core's number): hard to eclipse, cheap to keep."""

MAX_INBOUND: Final = 117
"""Inbound connections (Core's 125 less the outbound ones)."""

MAX_MANUAL: Final = 64
"""Manual peers, in addition to the other slots."""

MAX_OWN_ADDRESSES: Final = 16
"""Our own addresses, remembered after dialling ourselves."""

DIAL_SPACING_NS: Final = seconds(0.1)
"""Between two automatic dials: eight slots fill within a second, and a table of dead addresses is not hammered."""

DIAL_IDLE_NS: Final = seconds(10)
"""Wait before looking again when the table had no address to dial."""

REDIAL_BASE_NS: Final = seconds(1)
"""First wait before a manual peer is dialled again; it doubles with each failure."""

REDIAL_MAX_NS: Final = seconds(30)
"""Longest wait for a manual peer: the operator asked for it, so it is tried about twice a minute."""

REDIAL_RESET_NS: Final = seconds(30)
"""A connection that lasted this long resets the backoff of its address; a shorter one counts as a failure."""

EVICTION_PROTECTED: Final = 4
"""Inbound peers protected from eviction by each of ping, latest block and latest transaction (Core: 8, 4, 4)."""

# --- relay and requests

KNOWN_TXS: Final = 2500
"""Transactions remembered as known to one peer: seconds of the heaviest traffic, at most 0.8 MB. Forgetting one costs
only a repeated 32-byte announcement."""

KNOWN_BLOCKS: Final = 512
"""Blocks remembered as known to one peer: eight minutes on the fastest network."""

MAX_ANNOUNCE_QUEUE: Final = 10_000
"""Transactions waiting to be announced; a peer that is further behind does not hear of the oldest from us."""

MAX_ANNOUNCED_HEADERS: Final = 8
"""New tips announced by their headers; a longer reorganisation is announced by the tip's hash and fetched by
get_headers (Core's MAX_BLOCKS_TO_ANNOUNCE)."""

TRICKLE_OUTBOUND_NS: Final = seconds(0.2)
"""Mean delay of transaction announcements to outbound peers: hides where a transaction came from, and batches."""

TRICKLE_INBOUND_NS: Final = seconds(0.5)
"""The same for inbound peers, longer, since a monitor would be among them (Core: 2 s and 5 s, at 600 s per block)."""

FEE_FILTER_INTERVAL_NS: Final = seconds(10)
"""Minimum time between two fee filters sent to one peer."""

TX_TIMEOUT_NS: Final = seconds(5)
"""After this, the next announcer is asked for a transaction that was not delivered."""

BLOCK_TIMEOUT_MIN_NS: Final = seconds(2)
BLOCK_TIMEOUT_MAX_NS: Final = seconds(20)
"""Another peer is asked for a block that was not delivered within two block spacings, within these bounds."""


def block_timeout_ns(spacing_s: int) -> int:
    """How long one peer may take to deliver a block on a network with `spacing_s` seconds between blocks."""
    return min(max(seconds(2 * spacing_s), BLOCK_TIMEOUT_MIN_NS), BLOCK_TIMEOUT_MAX_NS)


MAX_REQUESTS_IN_FLIGHT: Final = 256
"""Pending requests to one peer; further ones wait."""

MAX_ANNOUNCED_BY_PEER: Final = 5000
"""Objects that one peer has announced and that we neither got nor gave up (Core's number)."""

MAX_OBJECTS_TRACKED: Final = 50_000
"""The same over all peers, under 1 KB each. When it is reached, each peer may still announce its even share, so that
attackers cannot crowd out the others; at most twice as many objects are tracked."""

# --- addresses

MAX_ADDRESS_TABLE: Final = 4096
"""Addresses in the table: enough to find a live one, 1 MB."""

MAX_ADDRESSES_BY_SOURCE: Final = 512
"""Addresses accepted from one network group, so that one attacker cannot fill the table."""

ADDRS_ANSWER_SHARE_PERCENT: Final = 23
ADDRS_ANSWER_FLOOR: Final = 64
"""An answer holds at most 23 % of the table (Core's number), so that mapping the network takes many nodes; a table up
to the floor is sent whole, since a small network has nothing to hide and must find its nodes."""

ADDRS_RATE: Final = Rate(tokens=1, period_ns=seconds(10), burst=MAX_ADDRS)
"""Unrequested addresses accepted from one peer (Core: 0.1 per second); a get_addrs to it adds one full answer."""

MAX_RELAYED_ADDRS: Final = 10
"""Addresses relayed in one message; a message with more is an answer, and not relayed (Core's number)."""

ADDRESS_RELAY_PEERS: Final = 2
"""Peers to which a new address is relayed (Core's number): it reaches most nodes, at the cost of a few messages each.
"""

ADDRESS_RELAY_DELAY_NS: Final = seconds(10)
"""Mean delay of that, drawn between 0.5 and 1.5 times this (Core: 30 s): hides who met the node, and one message per
delay is about what `ADDRS_RATE` allows."""

ADDRESS_RELAY_AGE_S: Final = 600
"""An address last seen longer ago is not relayed (Core's number): nodes learn of old addresses by get_addrs."""

ADDRESS_HORIZON_S: Final = 30 * 86_400
"""An address nobody has seen for 30 days is dropped first (Core's number)."""

ADDRESS_FUTURE_S: Final = 600
"""A "last seen" further in the future than this comes from a wrong clock or a lie, and is read as `ADDRESS_DOUBT_S`
ago."""

ADDRESS_DOUBT_S: Final = 5 * 86_400

ADDRESS_HEARSAY_S: Final = 2 * 3600
"""Hearsay is aged by two hours, so that an address that goes in circles does not stay fresh for ever (Core's penalty).
"""

ADDRESS_REFRESH_S: Final = 20 * 60
"""A newer report of a known address is used only if it is newer by this much."""

ADDRESS_RETRY_BASE_S: Final = 10
ADDRESS_RETRY_MAX_S: Final = 3600
"""Wait between two dials of one address, doubled with each failure after the first, up to an hour."""

ADDRESS_MAX_FAILURES: Final = 10
"""Consecutive failed dials after which an address is forgotten."""

ADDRESS_DRAWS: Final = 64
"""Table entries looked at for one dial."""

# --- misbehaviour

MISBEHAVIOUR_THRESHOLD: Final = 100
"""Points at which a peer is disconnected and its host discouraged."""

MISBEHAVIOUR_DECAY_NS: Final = seconds(10)
"""One point is forgiven per this time, so that small faults of a long connection never add up."""

DISCOURAGEMENT_NS: Final = seconds(3600)
"""A discouraged host is avoided for an hour: long enough against a nuisance, short for the address's next owner."""

MAX_DISCOURAGED: Final = 4096
"""Hosts remembered as discouraged; the oldest are forgotten first."""

MAX_BANS: Final = 1024
"""The operator's bans, each of which is compared with every new connection."""

DEFAULT_BAN_S: Final = 86_400
"""Duration of a ban unless stated (Core's default)."""

# --- inbound message rates: never reached by an honest peer, even when its messages pile up during a pause

MESSAGE_RATE: Final = Rate(tokens=1_000, period_ns=seconds(1), burst=2_000)
"""Messages of all kinds, including unknown ones and unrequested blocks: each costs microseconds, however small it is.
"""

PING_RATE: Final = Rate(tokens=2, period_ns=seconds(1), burst=60)
"""Each costs a pong; an honest peer sends one in 15 s."""

GET_ADDRS_RATE: Final = Rate(tokens=1, period_ns=seconds(60), burst=3)
"""Answered once per connection."""

ADDRS_MESSAGE_RATE: Final = Rate(tokens=1, period_ns=seconds(1), burst=30)
"""Messages; their entries are limited by `ADDRS_RATE`."""

INV_RATE: Final = Rate(tokens=50_000, period_ns=seconds(1), burst=100_000)
"""Hashes; more than a node can look at from all peers together, so anything faster is useless."""

WANT_RATE: Final = Rate(tokens=50_000, period_ns=seconds(1), burst=100_000)
"""Hashes; the bytes served for them are bounded by the send queue."""

TXS_RATE: Final = Rate(tokens=50_000, period_ns=seconds(1), burst=100_000)
"""Transactions; `node.arrivals` bounds the unrequested ones and takes the peers in turn."""

GET_HEADERS_RATE: Final = Rate(tokens=100, period_ns=seconds(1), burst=50)
"""Each costs up to 2,000 header reads, a third of a millisecond; a syncing peer sends one after each answer."""

HEADERS_RATE: Final = Rate(tokens=100, period_ns=seconds(1), burst=5000)
"""Messages; the burst lets a dev network mine thousands of blocks in a row."""

FEE_FILTER_RATE: Final = Rate(tokens=1, period_ns=seconds(1), burst=30)
"""An honest peer sends one in 10 s."""

# --- sync

HEADERS_TIMEOUT_NS: Final = seconds(10)
"""An answer to get_headers: 160 KB at most."""

LACKS_NS: Final = seconds(60)
"""A peer that did not have a block is asked for it again after this long: its copy may have been damaged, and fetched
since. One useless request per minute costs nothing."""

SYNC_BYTES_IN_FLIGHT: Final = 32 * KIB * KIB
"""Blocks in flight, by their usual size: fills a fast line with a bounded share of memory."""

SYNC_BLOCKS_MIN: Final = 16
SYNC_BLOCKS_MAX: Final = 512
"""Bounds for the number of blocks in flight, whatever their size."""

SYNC_BLOCKS_A_PEER: Final = 128
"""Blocks in flight from one peer: several peers share even a short window."""

SYNC_BLOCKS_START: Final = 16
"""The same for a peer that has not delivered any yet: three round trips of timely answers raise it to the full number,
and a crowd of silent peers holds up little."""

SYNC_STALLS_MAX: Final = 4
"""Consecutive block timeouts, with nothing delivered, at which a peer is disconnected."""
