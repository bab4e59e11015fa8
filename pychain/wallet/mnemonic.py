"""Mnemonics (BIP 39): a wallet's secret as words to write down. Word list, checksum and stretching are a library's.

English words only, as BIP 39 recommends. No error repeats a word: errors are printed and logged.
"""

from __future__ import annotations

from mnemonic import Mnemonic

from pychain.base.entropy import Entropy
from pychain.wallet.errors import WalletError

WORD_COUNTS = (12, 15, 18, 21, 24)
DEFAULT_WORDS = 24
"""256 bits: more than the key's own strength, so the words are never the weak point."""
MAX_MNEMONIC_CHARACTERS = 1_000
"""24 words of at most 8 letters take 215 characters; a much longer text is refused unread."""
_LANGUAGE = "english"


def new_mnemonic(entropy: Entropy, words: int = DEFAULT_WORDS) -> str:
    """Fresh words: 12, 15, 18, 21 or 24 of them."""
    if words not in WORD_COUNTS:
        raise WalletError(f"a mnemonic has {', '.join(map(str, WORD_COUNTS))} words, not {words}")
    return mnemonic_of(entropy.bytes(words // 3 * 4))


def mnemonic_of(entropy: bytes) -> str:
    """The words of 16, 20, 24, 28 or 32 bytes."""
    return Mnemonic(_LANGUAGE).to_mnemonic(entropy)


def parse_mnemonic(text: str) -> str:
    """The words as BIP 39 writes them, from what a person typed. WalletError names wrong words by their positions."""
    if len(text) > MAX_MNEMONIC_CHARACTERS:
        raise WalletError(f"a mnemonic has at most {WORD_COUNTS[-1]} words")
    english = Mnemonic(_LANGUAGE)
    words = english.normalize_string(text).lower().split()
    if len(words) not in WORD_COUNTS:
        raise WalletError(f"a mnemonic has {', '.join(map(str, WORD_COUNTS))} words, not {len(words)}")
    unknown = [str(place) for place, word in enumerate(words, 1) if word not in english.wordlist]
    if unknown:
        raise WalletError(f"not in the list of BIP 39's English words: word {', '.join(unknown)} of {len(words)}")
    if not english.check(" ".join(words)):
        raise WalletError("the mnemonic's checksum is wrong: a word is mistaken for another, or two are swapped")
    return " ".join(words)


def seed_of(mnemonic: str, passphrase: str = "") -> bytes:
    """The 64-byte seed of BIP 39: PBKDF2-HMAC-SHA512, 2,048 rounds. Every passphrase gives another wallet."""
    return Mnemonic.to_seed(mnemonic, passphrase)
