"""Play every case of the executable chain specification on every driver."""

from __future__ import annotations

from collections import Counter

import pytest

from pychain.consensus.rules import Rule
from tests.consensus.chainspec import (
    cases_forks,
    cases_ledger,
    cases_operator,
    cases_semantic,
    cases_signatures,
    cases_structure,
    cases_time,
)
from tests.consensus.chainspec.story import Case, play
from tests.support.driver import DriverFactory
from tests.support.reference_chain import ReferenceChain

CASES = [
    *cases_structure.CASES,
    *cases_semantic.CASES,
    *cases_signatures.CASES,
    *cases_time.CASES,
    *cases_ledger.CASES,
    *cases_forks.CASES,
    *cases_operator.CASES,
]
DRIVERS: dict[str, DriverFactory] = {"reference": ReferenceChain}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, driver: str) -> None:
    play(case.make(), DRIVERS[driver])


def test_there_are_enough_cases() -> None:
    twice = [name for name, times in Counter(case.name for case in CASES).items() if times > 1]
    assert twice == []
    assert len(CASES) >= 100


def test_every_rule_is_exercised() -> None:
    exercised = {code for case in CASES for code in case.make().codes()}
    assert exercised == {rule.code for rule in Rule}
