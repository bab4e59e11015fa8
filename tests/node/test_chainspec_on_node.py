"""The executable chain specification, run on the real node and the reference: both give the same answers."""

from __future__ import annotations

import pytest

from tests.consensus.chainspec.story import Case, play
from tests.consensus.chainspec.test_chainspec import CASES
from tests.support.twin import Twin


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    play(case.make(), Twin)
