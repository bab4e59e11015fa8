"""The journal's rows: they are read back as written, and damage gives a message of one line."""

from __future__ import annotations

from array import array
from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.consensus.state import Account
from pychain.ledger.store import DamagedStoreError
from pychain.store.journal import ROW_BYTES, account_rows, block_rows, replay, row_key
from pychain.store.members import Members, members_of
from pychain.store.records import entry_of, history_key, seal
from tests.support.blocks import plain_block, unsigned

KEYS = [sha256(b"%d" % number).digest() for number in range(9)]

u64 = st.integers(0, 2**64 - 1)
changes = st.dictionaries(st.sampled_from(KEYS), st.builds(Account, u64, u64))
transfers = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), max_size=6)


def keyed(rows: list[bytes], first: int = 0) -> list[tuple[bytes, bytes]]:
    return [(row_key(number), row) for number, row in enumerate(rows, first)]


def block(number: int, pairs: list[tuple[bytes, bytes]]) -> tuple[Members, bytes]:
    made = plain_block(number, KEYS[0], [unsigned(*pair, i) for i, pair in enumerate(pairs)])
    return members_of(number, made), made.txids


@given(commits=st.lists(st.tuples(changes, st.lists(transfers, max_size=3)), max_size=4), first=st.integers(0, 2**40))
def test_rows_are_read_back(
    commits: list[tuple[dict[bytes, Account], list[list[tuple[bytes, bytes]]]]], first: int
) -> None:
    rows: list[bytes] = []
    accounts: dict[bytes, Account] = {}
    blocks: list[tuple[Members, bytes]] = []
    for changed, connected in commits:
        made = [block(len(blocks) + i, pairs) for i, pairs in enumerate(connected)]
        rows += [*account_rows(changed), *block_rows(made)]
        accounts |= changed
        blocks += made
    layer = replay(keyed(rows, first))
    assert layer.accounts == accounts
    assert layer.blocks == [members for members, _ in blocks]
    assert layer.end == (first + len(rows) if rows else 0)
    assert dict(layer.places.items()) == {
        txids[at : at + 32]: entry_of(members.number, at // 32)
        for members, txids in blocks
        for at in range(0, len(txids), 32)
    }


def test_members_are_found_by_account() -> None:
    members, _ = block(3, [(KEYS[1], KEYS[2]), (KEYS[2], KEYS[2]), (KEYS[3], KEYS[0])])
    assert [members.positions(key) for key in KEYS[:5]] == [[3, 0], [1], [2, 1], [3], []]


def test_touches_are_what_members_name() -> None:
    members, _ = block(3, [(KEYS[1], KEYS[2]), (KEYS[2], KEYS[2]), (KEYS[3], KEYS[0])])
    joined = members.touches()
    touches = {joined[at : at + 40] for at in range(0, len(joined), 40)}
    assert len(joined) == 40 * len(touches)
    named = {(key, position) for key in KEYS for position in members.positions(key)}
    assert touches == {history_key(key, entry_of(3, position)) for key, position in named}


def test_an_account_is_not_found_across_two_others() -> None:
    members = Members(0, KEYS[0] + KEYS[1], array("I", (0,)), array("I", (1,)))
    assert members.positions((KEYS[0] + KEYS[1])[7:39]) == []
    joined = KEYS[0][16:] + KEYS[1][:16]
    assert Members(0, KEYS[0] + KEYS[1] + joined, array("I", (2,)), array("I", (2,))).positions(joined) == [0]


def test_long_changes_are_cut_into_rows() -> None:
    accounts = {sha256(b"account %d" % number).digest(): Account(number, 0) for number in range(10_000)}
    blocks = [block(number, [(KEYS[1], KEYS[2])] * 400) for number in range(20)]
    rows = [*account_rows(accounts), *block_rows(blocks)]
    assert len(rows) > 5
    longest = max(len(row) for row in block_rows(blocks[:1]))
    assert max(map(len, rows)) < ROW_BYTES + longest
    layer = replay(keyed(rows))
    assert layer.accounts == accounts
    assert [members.number for members in layer.blocks] == list(range(20))


ROWS = keyed([*account_rows({KEYS[0]: Account(1, 2)}), *block_rows([block(0, [(KEYS[0], KEYS[1])])])], 7)


def test_a_missing_row_is_damage() -> None:
    (first,), (second,) = ROWS[:1], keyed([ROWS[1][1]], 9)
    with pytest.raises(DamagedStoreError, match="found row 9 of the journal instead of row 8"):
        replay([first, second])
    with pytest.raises(DamagedStoreError, match="the journal is damaged"):
        replay([(b"short", first[1])])


@given(which=st.sampled_from(ROWS), bit=st.integers(0, 8 * min(len(row) for _, row in ROWS) - 1))
def test_a_flipped_bit_is_damage(which: tuple[bytes, bytes], bit: int) -> None:
    key, row = which[0], bytearray(which[1])
    row[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DamagedStoreError, match="of the journal is damaged: its checksum differs"):
        replay([(key, bytes(row))])


@given(
    st.one_of(
        st.binary(max_size=80), st.builds(lambda kind, rest: bytes((kind,)) + rest, st.integers(1, 3), st.binary())
    )
)
def test_sealed_garbage_is_damage_or_harmless(content: bytes) -> None:
    with suppress(DamagedStoreError):
        replay([(row_key(0), seal(content))])


def test_indexes_of_accounts_that_are_not_there_are_damage() -> None:
    wrong = Members(0, KEYS[0], array("I", (1,)), array("I", (0,)))
    with pytest.raises(DamagedStoreError, match="it names accounts that it does not have"):
        replay(keyed([*block_rows([(wrong, KEYS[5])])]))
