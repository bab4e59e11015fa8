"""The tree over many files' digests, and the memo that carries its root."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.stamps.errors import StampError
from pychain.stamps.memo import TAG, Kind, Stamp, decode_memo, encode_memo
from pychain.stamps.tree import MAX_STEPS, Side, Step, fold, leaf_hash, node_hash, root_and_paths

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Certificate Transparency's reference tree (the leaves of its own tests), after one to eight leaves."""
digests = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("count", range(1, 9))
def test_roots_are_those_of_certificate_transparency(count: int) -> None:
    root, paths = root_and_paths(LEAVES[:count])
    assert root.hex() == ROOTS[count - 1]
    assert [fold(leaf, path).hex() for leaf, path in zip(LEAVES, paths, strict=False)] == [ROOTS[count - 1]] * count


@given(st.lists(digests, min_size=1, max_size=70))
def test_every_path_leads_to_the_root_in_few_steps(files: list[bytes]) -> None:
    root, paths = root_and_paths(files)
    assert len(paths) == len(files)
    for digest, path in zip(files, paths, strict=True):
        assert fold(digest, path) == root
        assert len(path) <= (len(files) - 1).bit_length() <= MAX_STEPS


@given(st.lists(digests, min_size=2, max_size=20, unique=True), st.data())
def test_no_other_digest_has_the_path(files: list[bytes], data: st.DataObject) -> None:
    root, paths = root_and_paths(files)
    place = data.draw(st.integers(0, len(files) - 1))
    assert fold(data.draw(digests.filter(lambda digest: digest != files[place])), paths[place]) != root
    turned = tuple(Step(Side.LEFT if step.side is Side.RIGHT else Side.RIGHT, step.sibling) for step in paths[place])
    assert fold(files[place], turned) != root


def test_a_node_does_not_pass_as_a_file() -> None:
    """The digest of a file that consists of two leaves is not the node over them."""
    left, right = leaf_hash(bytes(32)), leaf_hash(bytes(range(32)))
    root, _ = root_and_paths([bytes(32), bytes(range(32))])
    assert root == node_hash(left, right)
    for prefix in (b"", b"\0", b"\1"):
        assert fold(sha256(prefix + left + right).digest(), ()) != root


@given(st.sampled_from(Kind), digests)
def test_a_memo_reads_back(kind: Kind, digest: bytes) -> None:
    memo = encode_memo(Stamp(kind, digest))
    assert len(memo) == 49
    assert memo == b"pychain/stamp/v1" + bytes([kind]) + digest
    assert decode_memo(memo) == Stamp(kind, digest)


@pytest.mark.parametrize("memo", [b"", b"invoice 17", TAG[:-1], TAG.upper() + bytes(33)])
def test_other_memos_are_no_stamps(memo: bytes) -> None:
    with pytest.raises(StampError, match=r"memo is no stamp$"):
        decode_memo(memo)


@pytest.mark.parametrize("memo", [TAG, TAG + b"\0", TAG + bytes(32), TAG + bytes(34), TAG + b"\2" + bytes(32)])
def test_stamps_of_another_form_are_not_known(memo: bytes) -> None:
    with pytest.raises(StampError, match="a stamp of an unknown kind"):
        decode_memo(memo)
