"""The messages whose bytes docs/wire.md shows, by the name of their section there."""

from __future__ import annotations

from typing import Final

from pychain.p2p import messages
from pychain.p2p.messages import GoodbyeCode, Kind, Message

GENESIS: Final = bytes(range(32))
OBJECT: Final = bytes(range(0x40, 0x60))
HEADER: Final = bytes.fromhex(  # the first header of the Bitcoin network
    "01000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
    "29ab5f49"
    "ffff001d"
    "1dac2b7c"
)

EXAMPLES: Final[dict[str, Message]] = {
    "hello": messages.Hello(
        protocol=1,
        agent="pychain/0.1.0",
        genesis=GENESIS,
        time=1_800_000_000,
        tip_height=300,
        tip_work=(0x012D_012D_012D).to_bytes(32, "big"),
        listen_port=30700,
        services=0,
        nonce=0x0123456789ABCDEF,
    ),
    "ping": messages.Ping(7),
    "pong": messages.Pong(7),
    "get_addrs": messages.GetAddrs(),
    "addrs": messages.Addrs((messages.AddressEntry("/ip4/192.0.2.1/tcp/30700", 1_800_000_000, 0),)),
    "inv": messages.Inv(Kind.TRANSACTION, (OBJECT,)),
    "want": messages.Want(Kind.TRANSACTION, (OBJECT,)),
    "missing": messages.Missing(Kind.TRANSACTION, (OBJECT,)),
    "txs": messages.Txs((b"\x01\x02\x03", b"\x01\x04")),
    "block": messages.Block(HEADER + b"\x00"),
    "get_headers": messages.GetHeaders((OBJECT, GENESIS), bytes(32)),
    "headers": messages.Headers((HEADER,)),
    "fee_filter": messages.FeeFilter(1000),
    "goodbye": messages.Goodbye(GoodbyeCode.SHUTTING_DOWN, "the node is stopping"),
}
