"""Block files: their bytes, their order, and the detection of damage."""

from __future__ import annotations

import struct
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.chain.hashes import hash_hex
from pychain.ledger.store import DamagedBlockError, StoreError
from pychain.store.block_files import START, BlockFiles, Place, Position

HEAD_BYTES = 12


def named(*bodies: bytes) -> dict[bytes, bytes]:
    return {sha256(body).digest(): body for body in bodies}


def test_a_record_is_magic_length_checksum_body(tmp_path: Path) -> None:
    files = BlockFiles(tmp_path)
    appended = files.append(START, named(b"first", b"second body"))
    assert (tmp_path / "blk00000.dat").read_bytes() == b"".join(
        b"pyBK" + struct.pack("<II", len(body), zlib.crc32(body)) + body for body in (b"first", b"second body")
    )
    assert appended.end == Position(0, 2 * HEAD_BYTES + 16)
    assert (tmp_path / "blk00000.dat").stat().st_mode & 0o077 == 0


@given(sizes=st.lists(st.integers(0, 70), max_size=40), cuts=st.sets(st.integers(0, 40)))
def test_appended_bodies_are_read_back_from_any_number_of_files(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], cuts: set[int]
) -> None:
    directory = tmp_path_factory.mktemp("blocks")
    files = BlockFiles(directory, roll_bytes=100)
    bodies = named(*(b"%02d" % number + bytes(size) for number, size in enumerate(sizes)))
    end, places, group = START, dict[bytes, Place](), dict[bytes, bytes]()
    for number, (block_hash, body) in enumerate(bodies.items()):
        group[block_hash] = body
        if number in cuts or number == len(bodies) - 1:
            appended = files.append(end, group)
            end, group = appended.end, {}
            places.update(appended.places)
    assert {block_hash: files.read(block_hash, place) for block_hash, place in places.items()} == bodies
    for path in directory.iterdir():
        assert path.stat().st_size <= 100
    assert sum(path.stat().st_size for path in directory.iterdir()) == sum(
        len(body) + HEAD_BYTES for body in bodies.values()
    )


def test_a_body_larger_than_a_file_has_one_of_its_own(tmp_path: Path) -> None:
    files = BlockFiles(tmp_path, roll_bytes=100)
    bodies = named(b"small", bytes(1_000), b"also small")
    appended = files.append(START, bodies)
    assert [place.file for place in appended.places.values()] == [0, 1, 2]
    assert [files.read(block_hash, place) for block_hash, place in appended.places.items()] == list(bodies.values())


def test_an_append_overwrites_what_an_earlier_one_left_behind_the_end(tmp_path: Path) -> None:
    files = BlockFiles(tmp_path)
    kept = files.append(START, named(b"kept"))
    files.append(kept.end, named(bytes(500)))
    (block_hash, place), *_ = files.append(kept.end, named(b"in its place")).places.items()
    assert files.read(block_hash, place) == b"in its place"


def test_a_cut_removes_what_is_behind_the_end_and_nothing_else(tmp_path: Path) -> None:
    files = BlockFiles(tmp_path, roll_bytes=100)
    kept = files.append(START, named(b"a" * 50, b"b" * 50))
    files.append(kept.end, named(b"c" * 20, b"d" * 50, b"e" * 50))
    (tmp_path / "blk_notes.dat").write_bytes(b"somebody's")
    files.cut(kept.end)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blk00000.dat", "blk00001.dat", "blk_notes.dat"]
    assert (tmp_path / "blk00001.dat").stat().st_size == kept.end.offset
    for block_hash, place in kept.places.items():
        assert len(files.read(block_hash, place)) == 50


def test_any_flipped_bit_is_found_and_named(tmp_path: Path) -> None:
    files = BlockFiles(tmp_path)
    before = files.append(START, named(b"another"))
    ((block_hash, place),) = files.append(before.end, named(bytes(range(60)))).places.items()
    path = files.path(0)
    good = path.read_bytes()
    for offset in range(place.offset, len(good)):
        for bit in range(8):
            path.write_bytes(good[:offset] + bytes((good[offset] ^ 1 << bit,)) + good[offset + 1 :])
            with pytest.raises(DamagedBlockError) as caught:
                files.read(block_hash, place)
            assert caught.value.block_hash == block_hash
    line = str(caught.value)
    assert hash_hex(block_hash) in line
    assert f"{path} at offset {place.offset}" in line
    assert "\n" not in line


def test_any_missing_tail_is_found(tmp_path: Path) -> None:
    files = BlockFiles(tmp_path)
    ((block_hash, place),) = files.append(START, named(b"some body")).places.items()
    good = files.path(0).read_bytes()
    for length in range(len(good)):
        files.path(0).write_bytes(good[:length])
        with pytest.raises(DamagedBlockError):
            files.read(block_hash, place)


def test_a_missing_file_is_a_damaged_block(tmp_path: Path) -> None:
    files = BlockFiles(tmp_path)
    ((block_hash, place),) = files.append(START, named(b"body")).places.items()
    files.path(0).unlink()
    with pytest.raises(
        DamagedBlockError, match=r"blk00000.dat at offset 0 is damaged: it cannot be read \(No such file"
    ):
        files.read(block_hash, place)


def test_another_whole_record_in_its_place_is_found(tmp_path: Path) -> None:
    """A file restored from elsewhere, or overwritten after a cut: each record is valid, but not the one wanted."""
    files = BlockFiles(tmp_path)
    first = files.append(START, named(b"body one"))
    files.append(START, named(b"body two"))
    ((block_hash, place),) = first.places.items()
    with pytest.raises(DamagedBlockError, match="no record with its length and checksum"):
        files.read(block_hash, place)


def test_a_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    files = BlockFiles(tmp_path / "gone")
    with pytest.raises(StoreError, match=r"^cannot write blocks in .*gone: No such file or directory$"):
        files.append(START, named(b"body"))
