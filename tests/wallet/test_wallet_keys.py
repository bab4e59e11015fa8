"""Keys: the published vectors, the funded dev keys, and secrets that do not print themselves."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from pychain.base.errors import PychainError
from pychain.chain.spec import packaged_spec
from pychain.wallet.errors import WalletError
from pychain.wallet.keys import DEV_KEYS, PrivateKey, dev_key


class Vector(NamedTuple):
    seed: str
    public_key: str
    message: str
    signature: str


RFC_8032 = [  # section 7.1, tests 1 to 3
    Vector(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    Vector(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    Vector(
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize("vector", RFC_8032)
def test_the_published_vectors_of_rfc_8032_hold(vector: Vector) -> None:
    key = PrivateKey(bytes.fromhex(vector.seed))
    assert key.public_key.hex() == vector.public_key
    assert key.sign(bytes.fromhex(vector.message)).hex() == vector.signature
    assert key.seed.hex() == vector.seed


def test_the_dev_keys_are_those_that_the_dev_genesis_funds() -> None:
    funded = [key for key, _ in packaged_spec("dev").allocations]
    assert [dev_key(i).public_key for i in range(DEV_KEYS)] == funded


@pytest.mark.parametrize("index", [-1, DEV_KEYS])
def test_there_are_no_other_dev_keys(index: int) -> None:
    with pytest.raises(WalletError, match="dev keys 0 to 9"):
        dev_key(index)


def test_a_generated_key_is_the_entropy_it_was_given() -> None:
    class Fixed:
        def bytes(self, count: int) -> bytes:
            return bytes(range(count))

    assert PrivateKey.generate(Fixed()).seed == bytes(range(32))


def test_no_text_form_of_a_key_shows_its_seed() -> None:
    key = dev_key(3)
    assert key.seed.hex() not in f"{key} {key!r} {[key]}"
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(PychainError, match=f"not {length}"):
        PrivateKey(bytes(length))
