"""Transactions in bulk: the C core against its twin, on whole blocks, damaged ones and random bytes."""

from __future__ import annotations

from array import array
from itertools import pairwise
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain import native
from pychain.native import reference
from tests.support import wire
from tests.support.keys import dev_signer
from tests.support.strategies import mutants

DOMAIN = b"a domain of its own"


def transfer(sender: int, recipient: int, sequence: int, memo: bytes = b"") -> bytes:
    """A signed transfer between two well-known accounts."""
    signer = dev_signer(sender)
    body = wire.transfer_body(signer.key, sequence, dev_signer(recipient).key, 10 + sequence, 3, memo)
    return body + signer.sign(DOMAIN + body)


TRANSFERS = [transfer(i % 4, (i * i + 1) % 7, i, bytes(i % 5)) for i in range(40)]
COINBASE = wire.coinbase(7, dev_signer(0).key, 50, bytes(40))
BODY = b"".join([COINBASE, *TRANSFERS])

bodies = st.just(BODY) | mutants(st.just(BODY)) | st.binary(max_size=400)


def offsets_of(items: list[bytes]) -> array[int]:
    return native.transaction_offsets(b"".join(items), 0, len(items))


@given(bodies, st.integers(0, 50), st.integers(0, 200))
def test_offsets_are_those_of_the_twin(body: bytes, count: int, start: int) -> None:
    count, start = min(count, len(body)), min(start, len(body))
    offsets = native.transaction_offsets(body, start, count)
    assert offsets == reference.transaction_offsets(body, start, count)
    assert offsets[0] == start
    assert offsets[-1] <= len(body)


def test_offsets_stop_before_what_is_not_whole() -> None:
    assert list(native.transaction_offsets(BODY[:-1], 0, 41)) == list(native.transaction_offsets(BODY, 0, 40))
    assert list(native.transaction_offsets(b"\2" + BODY, 0, 3)) == [0]


@given(st.lists(st.sampled_from(TRANSFERS), max_size=30))
def test_rows_are_those_of_the_twin(items: list[bytes]) -> None:
    offsets = offsets_of(items)
    rows, keys = native.transfer_rows(b"".join(items), offsets)
    assert (rows, keys) == reference.transfer_rows(b"".join(items), offsets)
    assert len(rows) == 32 * len(items)
    accounts = [keys[start : start + 32] for start in range(0, len(keys), 32)]
    assert accounts == list(dict.fromkeys(key for item in items for key in (item[1:33], item[41:73])))


def test_many_accounts_that_look_alike_are_kept_apart() -> None:
    """Keys that share most of their bytes, as an attacker might choose them."""
    items = [
        wire.transfer_body(bytes(28) + i.to_bytes(4, "big"), 0, i.to_bytes(32, "little"), 1, 1) + bytes(64)
        for i in range(5_000)
    ]
    offsets = offsets_of(items)
    assert native.transfer_rows(b"".join(items), offsets) == reference.transfer_rows(b"".join(items), offsets)


@pytest.mark.parametrize("door", [native, reference])
def test_what_is_no_transfer_is_named(door: ModuleType) -> None:
    body, offsets = BODY, offsets_of([COINBASE, *TRANSFERS])
    with pytest.raises(ValueError, match="item 0 is not a complete transfer"):
        door.transfer_rows(body, offsets)
    with pytest.raises(ValueError, match="item 1 is not a complete transfer"):
        door.transfer_rows(body, [offsets[1], offsets[2], offsets[3] - 1])
    with pytest.raises(ValueError, match="item 1 is not a complete transfer"):
        door.verify_transfers(body, [offsets[1], 0], [offsets[2], offsets[1]], DOMAIN)
    with pytest.raises(ValueError, match="item 0 is not a complete transfer"):
        door.verify_transfers(body, [len(body)], [len(body) + 155], DOMAIN)


@pytest.mark.parametrize("door", [native, reference])
def test_signatures_are_checked_where_they_lie(door: ModuleType) -> None:
    items = TRANSFERS[:12]
    bad = {3: 40, 7: -1, 11: 1}  # the recipient, the signature, the sender
    broken = [
        item
        if i not in bad
        else item[: bad[i] % len(item)] + bytes((item[bad[i]] ^ 1,)) + item[bad[i] % len(item) + 1 :]
        for i, item in enumerate(items)
    ]
    offsets = offsets_of(broken)
    answer = door.verify_transfers(b"".join(broken), offsets[:-1], offsets[1:], DOMAIN, bytes(range(32)), 1)
    assert list(answer) == [int(i not in bad) for i in range(12)]
    assert door.verify_transfers(b"".join(items), offsets[1:3], offsets[2:4], DOMAIN) == b"\1\1"
    assert door.verify_transfers(b"".join(items), offsets[1:3], offsets[2:4], DOMAIN + b"!") == b"\0\0"
    assert door.verify_transfers(b"", [], [], DOMAIN) == b""


def test_a_block_of_thousands_on_all_cores() -> None:
    items = TRANSFERS * 50
    extents = list(pairwise(offsets_of(items)))
    starts, ends = [start for start, _ in extents], [end for _, end in extents]
    assert native.verify_transfers(b"".join(items), starts, ends, DOMAIN) == b"\1" * len(items)
