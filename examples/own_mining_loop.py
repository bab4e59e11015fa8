"""Mine with a loop of one's own: take a template, search for a nonce on the native kernels, submit the block.

That is all a miner does. The block's bytes are Bitcoin's framing: header, count, coinbase, transactions.

    height 1: nonce ..., searched by ...
    height 2: nonce ..., searched by ...
    height 3: nonce ..., searched by ...
    height 3 in the chain, 100 coins to spend
    the node has ended with 0
"""

from __future__ import annotations

import asyncio
from typing import Any

from dev_node import dev_node

from pychain import native
from pychain.chain.address import encode_address
from pychain.chain.block import new_block
from pychain.chain.hashes import parse_hash_hex
from pychain.chain.header import Header, new_header
from pychain.chain.spec import packaged_spec
from pychain.client import Client
from pychain.consensus.structure import parse_transaction
from pychain.wallet.keys import PrivateKey

BLOCKS = 3
NONCES = 2**32
KEY = PrivateKey(bytes(range(32)))
"""Whom the blocks pay."""
COIN = 100_000_000


def solved(template: dict[str, Any]) -> tuple[bytes, int]:
    """The raw block of a template, and its nonce."""
    raws = [template["coinbasetxn"]["data"], *[each["data"] for each in template["transactions"]]]
    transactions = [parse_transaction(bytes.fromhex(raw)) for raw in raws]
    root = native.merkle_root(b"".join(transaction.txid for transaction in transactions))
    previous, bits = parse_hash_hex(template["previousblockhash"]), int(template["bits"], 16)

    def header(nonce: int) -> Header:
        return new_header(template["version"], previous, root, template["curtime"], bits, nonce)

    nonce, _ = native.search(header(0).raw, int(template["target"], 16), 0, NONCES)
    if nonce is None:
        raise SystemExit("no nonce is a proof of work: another extra in the coinbase would give 2^32 more to try")
    return new_block(header(nonce), transactions).raw, nonce


async def main() -> None:
    address = encode_address(packaged_spec("dev").hrp, KEY.public_key)
    with dev_node() as endpoint:
        async with Client(endpoint) as node:
            for _ in range(BLOCKS):
                template = await node.call("getblocktemplate", {"address": address})
                raw, nonce = solved(template)
                refused = await node.call("submitblock", raw.hex())
                if refused is not None:
                    raise SystemExit(f"the node refuses the block: {refused}")
                print(f"height {template['height']}: nonce {nonce}, searched by {native.kernel.split(',')[0]}")
            height = await node.call("getblockcount", result=int)
            balance = (await node.account(address)).balance  # the newest reward is not mature yet
            print(f"height {height} in the chain, {balance // COIN} coins to spend")


if __name__ == "__main__":
    asyncio.run(main())
