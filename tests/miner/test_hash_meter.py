"""The meter of hash rates."""

from __future__ import annotations

from pychain.base.time import NS
from pychain.miner.meter import WINDOW_NS, HashMeter


def test_the_rate_is_an_average_over_the_window() -> None:
    meter = HashMeter()
    assert meter.rate(0) == 0
    meter.begin(0)
    assert meter.rate(0) == 0
    for second in range(1, 5):
        meter.add(1000, second * NS)
    assert meter.rate(4 * NS) == 1000
    for second in range(5, 31):
        meter.add(3000, second * NS)
    assert meter.rate(30 * NS) == 3000
    assert meter.rate(30 * NS + WINDOW_NS // 2) == 1500  # nothing came for half the window
    assert meter.rate(30 * NS + WINDOW_NS) == 0
    assert meter.total == 4 * 1000 + 26 * 3000


def test_beginning_again_forgets_the_rate_but_not_the_total() -> None:
    meter = HashMeter()
    meter.begin(0)
    meter.add(5000, NS)
    meter.begin(100 * NS)
    meter.add(1000, 101 * NS)
    assert meter.rate(102 * NS) == 500
    assert meter.total == 6000
