"""Measured cases, compared with their baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import UNSET, Struct, UnsetType

from pychain import native
from pychain.cli.bench.measure import Rate, measure
from pychain.cli.bench.suites import HASHLIB, SUITES, Case, Suite


class Row(Struct, kw_only=True):
    """One measured implementation: units a second over the repeats, and how many times faster than the baselines."""

    benchmark: str
    name: str
    unit: str
    median: float
    min: float
    max: float
    ratio_to_hashlib: float | UnsetType = UNSET
    ratio_to_libsodium: float | UnsetType = UNSET
    ratio_to_python: float | UnsetType = UNSET


class Plan:
    """The cases of some suites, in their order."""

    def __init__(self, names: list[str]) -> None:
        self._suites = [(SUITES[name], list(SUITES[name].cases())) for name in names]

    @property
    def size(self) -> int:
        """The number of rows."""
        return sum(len(cases) for _, cases in self._suites)

    def run(self, seconds: float, begin: Callable[[Case], None]) -> list[Row]:
        """Measure each case for that time; `begin` is called before each."""
        rows: list[Row] = []
        for suite, cases in self._suites:
            rates: dict[tuple[str, str], Rate] = {}
            for case in cases:
                begin(case)
                with _in_use(case):
                    rates[case.benchmark, case.name] = measure(case.work, case.units, seconds)
            rows += [_row(case, suite, cases[0], rates) for case in cases]
        return rows


def _row(case: Case, suite: Suite, first: Case, rates: dict[tuple[str, str], Rate]) -> Row:
    def ratio(baseline: str) -> float | UnsetType:
        other = rates.get((case.benchmark, baseline))
        if other is None and case.unit == first.unit:
            other = rates.get((first.benchmark, baseline))
        return UNSET if other is None else float(f"{rate.median / other.median:.4g}")

    rate = rates[case.benchmark, case.name]
    row = Row(
        benchmark=case.benchmark,
        name=case.name,
        unit=case.unit,
        median=round(rate.median, 1),
        min=round(rate.least, 1),
        max=round(rate.most, 1),
        ratio_to_python=ratio(suite.python),
    )
    if suite.library == HASHLIB:
        row.ratio_to_hashlib = ratio(suite.library)
    else:
        row.ratio_to_libsodium = ratio(suite.library)
    return row


@contextmanager
def _in_use(case: Case) -> Iterator[None]:
    """Use the case's kernel for a while, then those from before."""
    if not case.kernel:
        yield
        return
    before = native.kernel
    native.use(case.name)
    try:
        yield
    finally:
        for name in before.split(","):
            native.use(name)
