"""verifychain finds damage on disk, each kind at its level."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from pychain import native
from pychain.api.backend import Backend
from pychain.api.errors import RpcError
from pychain.api.search import search
from pychain.api.verify import MAX_LEVEL, ChainCheck
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.state import ABSENT, Account, Reward, decode_undo
from pychain.daemon.clock import Clock
from pychain.ledger.store import Batch
from pychain.ledger.template import BlockTemplate
from pychain.node.requests import GetTemplate, SubmitBlock, SubmitTransfer
from pychain.system.entropy import SystemEntropy
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.api.node import SPEC
from tests.support.node_driver import LoneNode
from tests.support.undo import encode_undo

BLOCKS = 5
MINER, PAYER, PAYEE = dev_key(9), dev_key(0), dev_key(1)


class World:
    """A chain of a few blocks, a transfer in each, and the parts of a daemon that the check needs."""

    def __init__(self) -> None:
        self.lone = LoneNode(Rulebook(SPEC), SPEC.genesis_time + 1000)
        for sequence in range(BLOCKS):
            transfer = sign_transfer(PAYER, SPEC.genesis_hash, sequence, Payment(PAYEE.public_key, 5, 1000))
            assert self.lone.ask(SubmitTransfer(transfer.raw)) == transfer.txid
            self.mine()

    def mine(self) -> None:
        template = self.lone.ask(GetTemplate())
        assert isinstance(template, BlockTemplate)
        block, _ = search(SystemEntropy(), template, MINER.public_key, 1000, native.StopFlag())
        assert block is not None
        assert self.lone.ask(SubmitBlock(block.raw)) is None

    def hash_at(self, height: int) -> bytes:
        entry = self.lone.node.queries.at(height)
        assert entry is not None
        return entry.hash

    def damage(self, batch: Batch) -> None:
        self.lone.store.commit(batch)
        self.lone.store.advance()

    def check(self, level: int, blocks: int = 0, before_body: Callable[[], None] = lambda: None) -> bool:
        async def body(block_hash: bytes) -> bytes | None:
            before_body()
            return self.lone.store.body(block_hash)

        backend = SimpleNamespace(
            queries=self.lone.node.queries, store=self.lone.store, body=body, aside=asyncio.to_thread, clock=Clock()
        )
        return asyncio.run(ChainCheck(cast(Backend, backend), level).run(blocks))


@pytest.fixture
def world() -> World:
    return World()


def first_failing_level(world: World) -> int | None:
    return next((level for level in range(MAX_LEVEL + 1) if not world.check(level)), None)


def test_a_sound_chain_passes_at_every_level(world: World) -> None:
    assert first_failing_level(world) is None


def test_a_missing_body_is_found_by_reading(world: World) -> None:
    class Holey(dict[bytes, bytes]):
        def get(self, key: bytes, default: object = None) -> None:  # type: ignore[override]
            return None

    world.lone.store._bodies = Holey()
    assert first_failing_level(world) == 0


def test_a_damaged_body_is_found_by_the_rules(world: World, caplog: pytest.LogCaptureFixture) -> None:
    raw = bytearray(world.lone.store.body(world.hash_at(3)) or b"")
    raw[-1] ^= 1
    world.damage(Batch(bodies={world.hash_at(3): bytes(raw)}))
    assert first_failing_level(world) == 1
    assert "block 3" in caplog.text
    assert "does not verify: bad-txnmrklroot" in caplog.text
    assert world.check(1, blocks=2), "the damage lies deeper"


def test_another_block_in_its_place_is_found(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.damage(Batch(bodies={world.hash_at(3): world.lone.store.body(world.hash_at(2)) or b""}))
    assert first_failing_level(world) == 1
    assert "it is another block: " in caplog.text


@pytest.mark.parametrize("record", [b"", b"\x01", b"\xff" * 100])
def test_an_undo_record_that_does_not_decode_is_found(world: World, record: bytes) -> None:
    world.damage(Batch(undo={world.hash_at(3): record}))
    assert first_failing_level(world) == 2


def test_an_undo_record_of_other_accounts_is_found_by_taking_blocks_back(world: World) -> None:
    record = decode_undo(world.lone.store.undo(world.hash_at(3)) or b"")
    world.damage(Batch(undo={world.hash_at(3): encode_undo(record[1:])}))
    assert first_failing_level(world) == 3


def test_an_undo_record_of_other_balances_is_found_by_connecting_again(world: World) -> None:
    (key, account), *rest = decode_undo(world.lone.store.undo(world.hash_at(3)) or b"")
    changed = (key, Account(account.balance + 1, account.sequence))
    world.damage(Batch(undo={world.hash_at(3): encode_undo((changed, *rest))}))
    assert first_failing_level(world) == 4


@pytest.mark.parametrize("key", [PAYER.public_key, PAYEE.public_key, MINER.public_key])
def test_a_wrong_balance_is_found_by_connecting_again(world: World, key: bytes) -> None:
    account = world.lone.store.account(key)
    assert account != ABSENT
    world.damage(Batch(accounts={key: Account(account.balance - 1, account.sequence)}))
    assert first_failing_level(world) == 4


def test_a_wrong_reward_is_found(world: World) -> None:
    world.damage(Batch(rewards={world.hash_at(2): Reward(PAYEE.public_key, 1)}))
    assert first_failing_level(world) == 3


def test_a_tip_change_ends_the_check(world: World) -> None:
    moves = iter([True])

    def move() -> None:
        if next(moves, False):
            template = world.lone.ask(GetTemplate())
            assert isinstance(template, BlockTemplate)
            coinbase = template.coinbase(MINER.public_key, bytes(32))
            for nonce in range(1000):
                block = template.block(coinbase, template.time, nonce)
                if int.from_bytes(block.hash, "little") <= template.target:
                    assert world.lone.ask(SubmitBlock(block.raw)) is None
                    return

    with pytest.raises(RpcError, match="the tip changed during the check"):
        world.check(4, before_body=move)
    assert world.check(4)
