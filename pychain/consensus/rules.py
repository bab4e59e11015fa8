"""All consensus rules: code, level, and what a violation proves.

Codes are Bitcoin Core's reject reasons where the meaning is the same. To add a rule: add a row here, check it in the
module of its level, and add a case for it to the executable chain specification in the tests.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from pychain.base.errors import PychainError


class Level(Enum):
    """The data that a rule needs."""

    STRUCTURE = "structure"
    """The bytes alone."""
    SEMANTIC = "semantic"
    """The block alone, hashed and verified."""
    CONTEXTUAL = "contextual"
    """The parent and its state."""


class Blame(Enum):
    """The object that a violation proves invalid."""

    HEADER = "header"
    """The header is permanently invalid: a peer that sends it, or a child of it, did not check."""
    BODY = "body"
    """These bytes are not the block's body: only the sender is at fault, and the hash is not marked invalid."""
    BLOCK = "block"
    """The block is permanently invalid; a peer may have relayed it in good faith before checking it."""
    NOBODY = "nobody"
    """Nothing is invalid, it is only too early to tell: try again later."""


class _Row(NamedTuple):
    code: str
    level: Level
    blame: Blame
    meaning: str


class Rule(Enum):
    """The rules; `rule.code` is for programs, `rule.meaning` is the documentation."""

    BLOCK_ENCODING = _Row("bad-blk-encoding", Level.STRUCTURE, Blame.BODY, "the bytes are not one whole block")
    BLOCK_LENGTH = _Row("bad-blk-length", Level.STRUCTURE, Blame.BODY, "the block is longer than max_block_bytes")
    TX_ENCODING = _Row("bad-tx-encoding", Level.STRUCTURE, Blame.BODY, "the bytes are not one whole transaction")
    TX_MEMO_LENGTH = _Row("bad-tx-memo-length", Level.STRUCTURE, Blame.BLOCK, "a memo is longer than 512 bytes")
    COINBASE_EXTRA_LENGTH = _Row(
        "bad-cb-length", Level.STRUCTURE, Blame.BLOCK, "a coinbase's extra is not 32 to 100 bytes long"
    )

    BITS_ENCODING = _Row(
        "bad-bits-encoding", Level.SEMANTIC, Blame.HEADER, "bits are negative, zero, overflow, or pass pow_limit"
    )
    HIGH_HASH = _Row("high-hash", Level.SEMANTIC, Blame.HEADER, "the hash is above the target: no proof of work")
    MERKLE_ROOT = _Row("bad-txnmrklroot", Level.SEMANTIC, Blame.BODY, "the transactions do not hash to the merkle root")
    MERKLE_MUTATION = _Row(
        "bad-txns-duplicate", Level.SEMANTIC, Blame.BODY, "equal neighbours in the merkle tree (CVE-2012-2459)"
    )
    COINBASE_MISSING = _Row("bad-cb-missing", Level.SEMANTIC, Blame.BLOCK, "the first transaction is no coinbase")
    COINBASE_MULTIPLE = _Row("bad-cb-multiple", Level.SEMANTIC, Blame.BLOCK, "a coinbase that is not the first one")
    TX_SEQUENCE_LIMIT = _Row("bad-tx-sequence-limit", Level.SEMANTIC, Blame.BLOCK, "sequence 2^64 - 1 is never valid")
    TX_AMOUNT_OVERFLOW = _Row("bad-tx-amount-overflow", Level.SEMANTIC, Blame.BLOCK, "amount + fee pass 2^64 - 1")
    TX_SIGNATURE = _Row("bad-tx-signature", Level.SEMANTIC, Blame.BLOCK, "a signature fails under ZIP-215")

    PREVIOUS_UNKNOWN = _Row("prev-blk-not-found", Level.CONTEXTUAL, Blame.NOBODY, "the parent is not known here")
    PREVIOUS_INVALID = _Row("bad-prevblk", Level.CONTEXTUAL, Blame.HEADER, "the parent, or one before it, is invalid")
    BITS_MISMATCH = _Row("bad-diffbits", Level.CONTEXTUAL, Blame.HEADER, "bits are not what the retarget rule demands")
    TIME_TOO_OLD = _Row(
        "time-too-old", Level.CONTEXTUAL, Blame.HEADER, "time is not after the median of the last 11 headers"
    )
    TIME_TOO_NEW = _Row("time-too-new", Level.CONTEXTUAL, Blame.NOBODY, "time is past our clock by over max_future_s")
    TIME_BEFORE_START = _Row(
        "time-before-start", Level.CONTEXTUAL, Blame.HEADER, "block 1 is dated before the network's start_time"
    )
    COINBASE_HEIGHT = _Row("bad-cb-height", Level.CONTEXTUAL, Blame.BLOCK, "the coinbase names another height")
    COINBASE_AMOUNT = _Row(
        "bad-cb-amount", Level.CONTEXTUAL, Blame.BLOCK, "the coinbase does not claim exactly subsidy + fees"
    )
    TX_SEQUENCE = _Row("bad-tx-sequence", Level.CONTEXTUAL, Blame.BLOCK, "sequence is not the account's next one")
    TX_BALANCE = _Row("bad-tx-balance", Level.CONTEXTUAL, Blame.BLOCK, "the balance does not cover amount + fee")

    @property
    def code(self) -> str:
        return self.value.code

    @property
    def level(self) -> Level:
        return self.value.level

    @property
    def blame(self) -> Blame:
        return self.value.blame

    @property
    def meaning(self) -> str:
        return self.value.meaning


class RuleError(PychainError):
    """A rule is violated. `rule` says which; the detail is for people."""

    def __init__(self, rule: Rule, detail: str = "") -> None:
        super().__init__(f"{rule.code}: {detail or rule.meaning}")
        self.rule = rule
        self.detail = detail

    def __reduce__(self) -> tuple[type[RuleError], tuple[Rule, str]]:
        """Pickled by its arguments, to cross to another process."""
        return type(self), (self.rule, self.detail)
