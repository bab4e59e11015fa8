"""The limits of consensus, restated from docs/consensus.md and not imported: if the code drifts, the cases fail."""

from __future__ import annotations

from tests.support.keys import signer
from tests.support.network import GENESIS_TIME, Network

MAX_MEMO_BYTES = 512
MIN_EXTRA_BYTES = 32
MAX_EXTRA_BYTES = 100
TRANSFER_BYTES = 155
"""A transfer without memo."""
COINBASE_BYTES = 46
"""A coinbase without extra."""
MEDIAN_SPAN = 11
U64_MAX = 2**64 - 1
SEQUENCE_LIMIT = 2**64 - 1
"""The one sequence that no transfer may have."""
MAX_HALVINGS = 64
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

# The network on which most cases play.
SUBSIDY = 5_000_000_000
HALVING_INTERVAL = 6
MATURITY = 2
MAX_BLOCK_BYTES = 40_000
MAX_FUTURE_S = 7200
SPACING_S = 10
START_TIME = GENESIS_TIME + 600

ALICE, BOB, CAROL = signer("alice"), signer("bob"), signer("carol")
ALICE_FUNDS = 1_000_000
BOB_FUNDS = 500
NOBODY = bytes(32)
"""The genesis coinbase's recipient."""

NETWORK = Network(
    spacing_s=SPACING_S,
    start_time=START_TIME,
    initial_subsidy=SUBSIDY,
    halving_interval=HALVING_INTERVAL,
    maturity=MATURITY,
    max_block_bytes=MAX_BLOCK_BYTES,
    max_future_s=MAX_FUTURE_S,
    allocations=((ALICE.key, ALICE_FUNDS), (BOB.key, BOB_FUNDS)),
)
CLOCK = START_TIME + 100_000
"""What the node's clock shows when a case begins."""
