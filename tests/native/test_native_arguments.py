"""Wrong arguments are one clear ValueError, the same from the C core and from its twin."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from pychain import native
from pychain.native import reference

KEY, SIGNATURE, HEADER, HASH = bytes(32), bytes(64), bytes(80), bytes(32)

CASES: dict[str, tuple[Callable[[Any], object], str]] = {
    "sha256d of text": (lambda door: door.sha256d("abc"), "data must be bytes, not str"),
    "many of text": (lambda door: door.sha256d_many("abc", [0]), "buffer must be bytes, not str"),
    "no offset": (lambda door: door.sha256d_many(b"", []), "at least one offset"),
    "offset past the buffer": (lambda door: door.sha256d_many(b"abc", [0, 4]), "offset 1 (4) is not ascending"),
    "first offset past the buffer": (lambda door: door.sha256d_many(b"abc", [4]), "offset 0 (4) is not ascending"),
    "offsets that fall": (lambda door: door.sha256d_many(b"abc", [0, 2, 1]), "offset 2 (1) is not ascending"),
    "array offsets that fall": (lambda door: door.sha256d_many(b"abc", array("I", [2, 1])), "offset 1 (1)"),
    "negative offset": (lambda door: door.sha256d_many(b"abc", [-1, 1]), "offsets must be integers of 32 bits"),
    "huge offset": (lambda door: door.sha256d_many(b"abc", [0, 2**32]), "offsets must be integers of 32 bits"),
    "fractional offset": (lambda door: door.sha256d_many(b"abc", [0, 1.5]), "offsets must be integers of 32 bits"),
    "offsets not a sequence": (lambda door: door.sha256d_many(b"abc", 3), "offsets must be integers of 32 bits"),
    "record size 0": (lambda door: door.sha256d_records(b"abc", 0), "record size 0 is not within 1"),
    "record size not whole": (lambda door: door.sha256d_records(b"abc", 1.5), "record size must be an integer"),
    "half a record": (lambda door: door.sha256d_records(b"abc", 2), "buffer must be a multiple of 2 bytes, not 3"),
    "short header": (lambda door: door.header_hash(bytes(79)), "header must be 80 bytes, not 79"),
    "long header": (lambda door: door.header_hash(bytes(81)), "header must be 80 bytes, not 81"),
    "no leaves": (lambda door: door.merkle_root(b""), "positive multiple of 32 bytes, not 0"),
    "half a leaf": (lambda door: door.merkle_root(bytes(48)), "positive multiple of 32 bytes, not 48"),
    "checked, half a leaf": (lambda door: door.merkle_root_checked(bytes(33)), "positive multiple of 32 bytes"),
    "search, short header": (lambda door: door.search(bytes(76), 1, 0, 1), "header must be 80 bytes, not 76"),
    "search, no header": (lambda door: door.search(None, 1, 0, 1), "header must be bytes, not NoneType"),
    "target too great": (lambda door: door.search(HEADER, 2**256, 0, 1), "target"),
    "target negative": (lambda door: door.search(HEADER, -1, 0, 1), "target -1 is not within 0"),
    "target of bytes": (lambda door: door.search(HEADER, HASH, 0, 1), "target must be an integer, not bytes"),
    "start too great": (lambda door: door.search(HEADER, 1, 2**32 + 1, 0), "start 4294967297 is not within"),
    "start negative": (lambda door: door.search(HEADER, 1, -1, 1), "start -1 is not within"),
    "range past the end": (lambda door: door.search(HEADER, 1, 1, 2**32), "count 4294967296 is not within 0 to"),
    "range too long": (lambda door: door.search(HEADER, 1, 0, 2**32 + 1), "count 4294967297 is not within 0 to"),
    "count negative": (lambda door: door.search(HEADER, 1, 0, -1), "count -1 is not within"),
    "search_all past the end": (lambda door: door.search_all(HEADER, 1, 5, 2**32), "count 4294967296 is not within"),
    "no versions": (lambda door: door.search_rolling(HEADER, [], 1, 0, 1), "versions must be 1 to 64, not 0"),
    "many versions": (lambda door: door.search_rolling(HEADER, [1] * 65, 1, 0, 1), "versions must be 1 to 64, not 65"),
    "wide version": (lambda door: door.search_rolling(HEADER, [2**32], 1, 0, 1), "version 4294967296 is not within"),
    "short key": (lambda door: door.verify(bytes(31), b"", SIGNATURE), "public key must be 32 bytes, not 31"),
    "long key": (lambda door: door.verify_strict(bytes(33), b"", SIGNATURE), "public key must be 32 bytes, not 33"),
    "short signature": (lambda door: door.verify(KEY, b"", bytes(63)), "signature must be 64 bytes, not 63"),
    "long signature": (lambda door: door.verify_strict(KEY, b"", bytes(65)), "signature must be 64 bytes, not 65"),
    "message of text": (lambda door: door.verify(KEY, "abc", SIGNATURE), "message must be bytes, not str"),
    "batch of unequal lengths": (lambda door: door.verify_batch([KEY], [], [SIGNATURE]), "not 1, 0 and 1"),
    "strict batch of unequal lengths": (lambda door: door.verify_strict_batch([KEY], [b""], []), "not 1, 1 and 0"),
    "strict batch on too many threads": (lambda door: door.verify_strict_batch([], [], [], threads=65), "threads 65"),
    "batch with a short key": (lambda door: door.verify_batch([b""], [b""], [SIGNATURE]), "must be 32 bytes, not 0"),
    "short key to pay": (lambda door: door.is_canonical_large_order(bytes(31)), "must be 32 bytes, not 31"),
    "unknown kernel": (lambda door: door.use("sha256:abacus"), "kernel 'sha256:abacus' is not available"),
    "kernel without prefix": (lambda door: door.use("portable"), "kernel 'portable' is not available"),
    "no kernel": (lambda door: door.use(""), "kernel '' is not available"),
}


@pytest.mark.parametrize("door", [pytest.param(native, id="native"), pytest.param(reference, id="reference")])
@pytest.mark.parametrize("case", CASES)
def test_wrong_arguments(door: ModuleType, case: str) -> None:
    call, message = CASES[case]
    with pytest.raises(ValueError, match=r"^.*$") as caught:  # `.` matches no newline: the message is one line
        call(door)
    assert message in str(caught.value)


def test_the_twin_has_the_same_functions() -> None:
    doors = set(native.__all__) - {"CpuInfo", "compiled", "fallback_reason"}
    assert doors == set(reference.__all__) - {"kernel_in_use"}
