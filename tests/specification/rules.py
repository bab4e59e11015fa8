"""The rules: their codes, the level of each, and what a violation proves."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """level: structure needs only the bytes, semantic only the block, contextual the parent and its state.

    blame: header or block is permanently invalid; body: these bytes are not the block's body; nobody: it is too early
    to tell.
    """

    level: str
    blame: str


RULES = {
    "bad-blk-encoding": Rule("structure", "body"),
    "bad-blk-length": Rule("structure", "body"),
    "bad-tx-encoding": Rule("structure", "body"),
    "bad-tx-memo-length": Rule("structure", "block"),
    "bad-cb-length": Rule("structure", "block"),
    "bad-bits-encoding": Rule("semantic", "header"),
    "high-hash": Rule("semantic", "header"),
    "bad-txnmrklroot": Rule("semantic", "body"),
    "bad-txns-duplicate": Rule("semantic", "body"),
    "bad-cb-missing": Rule("semantic", "block"),
    "bad-cb-multiple": Rule("semantic", "block"),
    "bad-tx-sequence-limit": Rule("semantic", "block"),
    "bad-tx-amount-overflow": Rule("semantic", "block"),
    "bad-tx-signature": Rule("semantic", "block"),
    "prev-blk-not-found": Rule("contextual", "nobody"),
    "bad-prevblk": Rule("contextual", "header"),
    "bad-diffbits": Rule("contextual", "header"),
    "time-too-old": Rule("contextual", "header"),
    "time-too-new": Rule("contextual", "nobody"),
    "time-before-start": Rule("contextual", "header"),
    "bad-cb-height": Rule("contextual", "block"),
    "bad-cb-amount": Rule("contextual", "block"),
    "bad-tx-sequence": Rule("contextual", "block"),
    "bad-tx-balance": Rule("contextual", "block"),
}


class BrokenRuleError(Exception):
    """A rule is broken."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.blame = RULES[code].blame


def require(holds: bool, code: str) -> None:
    """BrokenRuleError with this code unless the rule holds."""
    if not holds:
        raise BrokenRuleError(code)
