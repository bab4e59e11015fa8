"""Mnemonics: BIP 39's vectors, and typical mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.wallet.errors import WalletError
from pychain.wallet.mnemonic import DEFAULT_WORDS, WORD_COUNTS, mnemonic_of, new_mnemonic, parse_mnemonic, seed_of
from tests.wallet.vectors import BIP39, BIP39_PASSPHRASE

WORDS = BIP39[0][1]


class Zeros:
    """Entropy that records how much was requested."""

    def bytes(self, count: int) -> bytes:
        return bytes(count)


@pytest.mark.parametrize(("entropy", "words", "seed"), BIP39, ids=[entropy[:16] for entropy, _, _ in BIP39])
def test_bip_39(entropy: str, words: str, seed: str) -> None:
    assert mnemonic_of(bytes.fromhex(entropy)) == words
    assert parse_mnemonic(words) == words
    assert seed_of(words, BIP39_PASSPHRASE).hex() == seed


def test_the_vectors_are_all_there() -> None:
    assert len(BIP39) == 24


@pytest.mark.parametrize("count", WORD_COUNTS)
def test_fresh_words_come_from_the_entropy_given(count: int) -> None:
    words = new_mnemonic(Zeros(), count)
    assert words == mnemonic_of(bytes(count * 4 // 3))
    assert len(words.split()) == count


def test_by_default_there_are_24() -> None:
    assert len(new_mnemonic(Zeros()).split()) == DEFAULT_WORDS == 24


@pytest.mark.parametrize("count", [0, 11, 13, 27])
def test_other_numbers_of_words_are_refused(count: int) -> None:
    with pytest.raises(WalletError, match="12, 15, 18, 21, 24 words"):
        new_mnemonic(Zeros(), count)
    with pytest.raises(WalletError, match=f"not {count}"):
        parse_mnemonic(" ".join(["abandon"] * count))


@pytest.mark.parametrize(
    "typed", [WORDS.upper(), f"  {WORDS}\n", WORDS.replace(" ", "\n"), WORDS.replace(" ", "\u3000")]
)
def test_words_as_people_type_them(typed: str) -> None:
    assert parse_mnemonic(typed) == WORDS


@given(place=st.integers(0, 11), word=st.text("abcdefghij", min_size=9, max_size=12))
def test_a_wrong_word_is_told_by_its_place_and_never_repeated(place: int, word: str) -> None:
    words = WORDS.split()
    words[place] = word
    with pytest.raises(WalletError, match=rf"word {place + 1} of 12$") as refused:
        parse_mnemonic(" ".join(words))
    assert word not in str(refused.value)
    assert "abandon" not in str(refused.value)


def test_words_in_the_wrong_order_fail_the_checksum() -> None:
    swapped = BIP39[12][1].split()
    swapped[0], swapped[1] = swapped[1], swapped[0]
    with pytest.raises(WalletError, match="checksum") as refused:
        parse_mnemonic(" ".join(swapped))
    assert swapped[0] not in str(refused.value)


def test_a_text_without_end_is_refused() -> None:
    with pytest.raises(WalletError, match="at most 24 words"):
        parse_mnemonic("abandon " * 1000)


def test_another_passphrase_is_another_wallet() -> None:
    assert seed_of(WORDS) != seed_of(WORDS, "x")
    assert seed_of(WORDS, "caf\u00e9") == seed_of(WORDS, "cafe\u0301"), "BIP 39 asks for NFKD"
