"""Listen to a node's events while it mines a block.

Events are server-sent (`GET /api/v1/events`), so a browser's EventSource and any HTTP client can read them; calls go
through the typed client.

    listening
    mined ... at height 1
    event: tip
    data: {..."height":1,...}
    the node has ended with 0
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.request import urlopen

from dev_node import dev_node

from pychain.chain.address import encode_address
from pychain.chain.spec import packaged_spec
from pychain.client import Client, Endpoint
from pychain.wallet.keys import dev_key

TIMEOUT_S = 30.0


async def mine_one(endpoint: Endpoint) -> None:
    """Have the node mine a block, on networks for development alone."""
    address = encode_address(packaged_spec("dev").hrp, dev_key(0).public_key)
    async with Client(endpoint) as node:
        [block_hash] = await node.call("generatetoaddress", 1, address, result=list[str])
        print(f"mined {block_hash} at height {await node.call('getblockcount', result=int)}")


def lines_until(lines: Iterable[bytes], prefix: str) -> str:
    """The next line of the stream that begins so."""
    for line in lines:
        text = line.decode().rstrip()
        if text.startswith(prefix):
            return text
    raise SystemExit("the node hung up")


def main() -> None:
    with (
        dev_node() as endpoint,
        urlopen(f"http://{endpoint.host_port}/api/v1/events?types=tip", timeout=TIMEOUT_S) as events,
    ):
        lines_until(events, "retry")  # the stream has begun: nothing is missed from here on
        print("listening")
        asyncio.run(mine_one(endpoint))
        print(lines_until(events, "event: tip"))
        print(lines_until(events, "data:"))


if __name__ == "__main__":
    main()
