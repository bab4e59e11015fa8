"""Two halves of six real nodes, apart for sixty and for sixty-one blocks, agree on the heavier branch once joined."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from pychain.chain.spec import packaged_spec
from pychain.devnet.keys import node_address, node_key
from pychain.devnet.network import Devnet, Plan
from pychain.wallet.payment import Payment, sign_transfer
from tests.bars.waiting import until

HALVES = ((0, 1, 2), (3, 4, 5))
BLOCKS = (60, 61)
PAYER, PAYEE = 7, 8
"""Funded keys of the dev network that no node mines to."""


@pytest.mark.timeout(300)
def test_the_heavier_half_wins_and_the_other_ones_transfers_wait_again(tmp_path: Path) -> None:
    asyncio.run(part_and_join(tmp_path))


async def part_and_join(directory: Path) -> None:
    spec = packaged_spec("dev")
    devnet = Devnet(Plan(directory, "dev", spec, 6, "apart"))
    await devnet.start()
    try:
        for half in HALVES:
            for one, other in pairwise(half):
                await devnet.link(one, other)
        loser, winner = (devnet.nodes[half[0]].client for half in HALVES)
        only_there = [await loser.send(payment(spec.genesis_hash, sequence)) for sequence in range(3)]
        await loser.call("generatetoaddress", BLOCKS[0], node_address(spec, 0))
        await winner.call("generatetoaddress", BLOCKS[1], node_address(spec, 3))
        assert await loser.call("getrawmempool") == []
        await until(lambda: agree(devnet, HALVES[0]))
        await until(lambda: agree(devnet, HALVES[1]))

        await devnet.link(HALVES[0][2], HALVES[1][2])
        await until(lambda: agree(devnet, (*HALVES[0], *HALVES[1])))
        assert await loser.call("getblockcount") == BLOCKS[1]
        for half in HALVES:
            for index in half:
                await until(lambda index=index: has_pending(devnet, index, only_there))  # type: ignore[misc]

        await winner.call("generatetoaddress", 1, node_address(spec, 3))
        await until(lambda: agree(devnet, (*HALVES[0], *HALVES[1])))
        assert await loser.call("getrawmempool") == []
        assert (await loser.account(node_address(spec, PAYER))).next_sequence == len(only_there)
    finally:
        await devnet.stop()


def payment(genesis_hash: bytes, sequence: int) -> bytes:
    return sign_transfer(
        node_key(PAYER), genesis_hash, sequence, Payment(node_key(PAYEE).public_key, 1000 + sequence)
    ).raw


async def agree(devnet: Devnet, indexes: tuple[int, ...]) -> bool:
    return len({await devnet.nodes[index].client.call("getbestblockhash") for index in indexes}) == 1


async def has_pending(devnet: Devnet, index: int, txids: list[str]) -> bool:
    pending = await devnet.nodes[index].client.call("getrawmempool")
    return set(txids) <= set(pending)
