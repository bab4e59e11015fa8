"""Chain files: a written file is read back; a truncated, foreign or oversize one gives one clear line."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.daemon.chain_file import ChainFileError, read_chain, write_chain
from tests.support.memory import peak_of

GENESIS = bytes(range(32))
MOST = 1_000


def written(blocks: list[bytes]) -> bytes:
    out = BytesIO()
    write_chain(out, GENESIS, blocks)
    return out.getvalue()


def read(data: bytes) -> list[bytes]:
    return list(read_chain(BytesIO(data), GENESIS, MOST))


@given(st.lists(st.binary(max_size=MOST), max_size=8))
def test_what_was_written_is_read(blocks: list[bytes]) -> None:
    assert read(written(blocks)) == blocks


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=4), st.data())
def test_a_file_that_was_cut_says_so(blocks: list[bytes], data: st.DataObject) -> None:
    whole = written(blocks)
    ends = {len(written(blocks[:count])) for count in range(len(blocks) + 1)}
    cut = data.draw(st.integers(0, len(whole)).filter(lambda cut: cut not in ends))
    with pytest.raises(ChainFileError, match="the file ends within record"):
        read(whole[:cut])


def test_what_is_not_of_this_network_says_so() -> None:
    with pytest.raises(ChainFileError, match="not a chain of this network: 00010203 is expected, not 706b6c21"):
        read(b"pkl!" + bytes(100))
    with pytest.raises(ChainFileError, match="record 2 is damaged"):
        read(written([b"one"]) + bytes(8))


def test_a_length_is_judged_before_anything_is_allocated_for_it() -> None:
    def oversize() -> None:
        with pytest.raises(ChainFileError, match=r"record 1 has 4294967295 bytes, a block at most 1000"):
            read(GENESIS[:4] + b"\xff" * 4 + bytes(50))

    assert peak_of(oversize) < 100_000
