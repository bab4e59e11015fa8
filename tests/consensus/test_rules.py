"""The table of rules, and the error that carries one."""

from __future__ import annotations

import pickle
import re

import pytest

from pychain.consensus.rules import Blame, Level, Rule, RuleError


def test_codes_are_unique_and_of_one_form() -> None:
    codes = [rule.code for rule in Rule]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", code) for code in codes)
    assert all(rule.meaning and "\n" not in rule.meaning for rule in Rule)


def test_what_a_block_is_never_condemned_for() -> None:
    """Bytes that are not the body, and temporary failures, mark no hash invalid."""
    assert {rule.code for rule in Rule if rule.blame is Blame.BODY} == {
        "bad-blk-encoding",
        "bad-blk-length",
        "bad-tx-encoding",
        "bad-txnmrklroot",
        "bad-txns-duplicate",
    }
    assert {rule.code for rule in Rule if rule.blame is Blame.NOBODY} == {"prev-blk-not-found", "time-too-new"}


def test_headers_are_condemned_for_what_headers_show() -> None:
    assert {rule.code for rule in Rule if rule.blame is Blame.HEADER} == {
        "bad-bits-encoding",
        "high-hash",
        "bad-prevblk",
        "bad-diffbits",
        "time-too-old",
        "time-before-start",
    }
    assert not any(rule.level is Level.STRUCTURE for rule in Rule if rule.blame is Blame.HEADER)


@pytest.mark.parametrize("rule", Rule)
def test_error(rule: Rule) -> None:
    bare, detailed = RuleError(rule), RuleError(rule, "7 where 8 is due")
    assert str(bare) == f"{rule.code}: {rule.meaning}"
    assert str(detailed) == f"{rule.code}: 7 where 8 is due"
    copy = pickle.loads(pickle.dumps(detailed))
    assert (type(copy), copy.rule, copy.detail, str(copy)) == (RuleError, rule, detailed.detail, str(detailed))
