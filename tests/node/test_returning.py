"""The transfers returned from disconnected blocks, compared with a simple model, at any pace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pychain.chain.block import Block, decode_block
from pychain.chain.transaction import Transfer
from pychain.consensus.state import ABSENT, Account
from pychain.node.returning import Returning
from tests.support.forge import forge, genesis
from tests.support.keys import signer
from tests.support.network import Network

ALICE, BOB = signer("alice"), signer("bob")
NETWORK = Network(allocations=((ALICE.key, 10**6), (BOB.key, 10**6)))
PAYS = [
    ALICE.transfer(NETWORK.genesis_hash, sequence, BOB.key, amount, 1) for sequence in range(4) for amount in (1, 2)
]


def block_of(name: str, pays: list[bytes]) -> Block:
    return decode_block(forge(NETWORK, name, genesis(NETWORK), pays).raw)


BLOCKS = [block_of(f"block {i}", PAYS[i % 8 : i % 8 + i % 4]) for i in range(12)]


class Sequences:
    """Alice's account has a sequence; no other account has sent anything."""

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence

    def account(self, key: bytes) -> Account:
        return Account(10**6, self._sequence) if key == ALICE.key else ABSENT

    def accounts(self, keys: list[bytes]) -> list[Account]:
        return [self.account(key) for key in keys]


changes = st.lists(
    st.tuples(st.lists(st.sampled_from(BLOCKS), max_size=3), st.lists(st.sampled_from(BLOCKS), max_size=3)), max_size=6
)


def pays_of(block: Block) -> list[Transfer]:
    return [each for each in block.transactions if isinstance(each, Transfer)]


@given(changes, st.integers(0, 4), st.integers(1, 9))
def test_it_gives_back_what_was_not_mined_again(
    moves: list[tuple[list[Block], list[Block]]], sequence: int, pace: int
) -> None:
    returning = Returning()
    mined: dict[bytes, None] = {}
    undone: dict[bytes, Block] = {}
    for left, joined in moves:
        returning.tip_changed(left, joined)
        if not (left or undone):
            continue
        for block in reversed(left):
            undone[block.hash] = block
            for each in block.txid_list():
                mined.pop(each, None)
        for block in joined:
            mined |= dict.fromkeys(block.txid_list())
    over = [pay for block in undone.values() for pay in pays_of(block) if pay.txid not in mined]
    assert sorted(returning.raws()) == sorted(
        pay.raw for block, gone in returning._moves if gone for pay in pays_of(block)
    )
    returned: list[Transfer] = []
    lost: list[Transfer] = []
    for _ in range(1_000):
        if not returning:
            break
        some, others = returning.take(pace, Sequences(sequence))
        returned += some
        lost += others
    assert not returning
    assert returned == [pay for pay in over if pay.sequence >= sequence]
    assert lost == [pay for pay in over if pay.sequence < sequence]
    assert list(returning.raws()) == []
