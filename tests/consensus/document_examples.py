"""The objects whose bytes docs/consensus.md shows: block 1 of network `dev`, with one transfer in it.

Made with the independent encoder from the values that the document states.
"""

from __future__ import annotations

from typing import Final

from pychain.chain.spec import packaged_spec
from tests.support import wire
from tests.support.keys import dev_signer

DEV: Final = packaged_spec("dev")
SENDER, RECIPIENT, MINER = dev_signer(0), dev_signer(1), dev_signer(2)

BODY: Final = wire.transfer_body(SENDER.key, 0, RECIPIENT.key, 150_000_000, 1000, b"hello")
MESSAGE: Final = wire.signing_message(DEV.genesis_hash, BODY)
TRANSFER: Final = BODY + SENDER.sign(MESSAGE)
COINBASE: Final = wire.coinbase(1, MINER.key, 5_000_001_000)
HEADER: Final = wire.solve(
    1, DEV.genesis_hash, wire.root_of([COINBASE, TRANSFER]), DEV.genesis_time + 10, DEV.genesis_bits
)
BLOCK: Final = wire.block(HEADER, [COINBASE, TRANSFER])

HEX_EXAMPLES: Final[dict[str, bytes]] = {
    "Header": HEADER,
    "Transfer": TRANSFER,
    "Coinbase": COINBASE,
    "Block": BLOCK,
}
"""Section -> the bytes of its hex block."""
