"""The forecast of a sync: silent if it cannot know, right at even speed, restarted when the goal moves."""

from __future__ import annotations

from dataclasses import replace

from pychain.api.forecast import SyncForecast
from pychain.base.time import NS
from pychain.node.events import NewTip, Notice
from pychain.node.queries import SyncState
from tests.support.builder import spec_of
from tests.support.network import Network

SPEC = spec_of(Network())
TIP = NewTip(SPEC.genesis.header, 0, (), ())


class Syncing:
    """A sync whose clock and progress the test moves."""

    def __init__(self) -> None:
        self.now_ns = 5 * NS
        self.state = SyncState(headers=1000, blocks=0, in_flight=0, verifying=0, behind=True, progress=0.0)
        self.forecast = SyncForecast(lambda: self.state, lambda: self.now_ns)

    def go(self, seconds: float, progress: float) -> None:
        self.now_ns += int(seconds * NS)
        self.state = replace(self.state, progress=progress)
        self.forecast.note(TIP)


def test_even_speed_is_foretold() -> None:
    sync = Syncing()
    for percent in range(1, 51):
        sync.go(1, percent / 100)
    assert sync.forecast.seconds_left() == 50


def test_nothing_is_said_before_it_can_be_known() -> None:
    sync = Syncing()
    assert sync.forecast.seconds_left() is None
    sync.forecast.note(Notice("info", "not a tip"))
    sync.go(1, 0.1)
    assert sync.forecast.seconds_left() is None
    sync.go(0.1, 0.2)
    assert sync.forecast.seconds_left() is None
    sync.go(60, 0.2)
    assert sync.forecast.seconds_left() is not None


def test_a_stall_shows_while_no_tip_comes() -> None:
    sync = Syncing()
    sync.go(1, 0.1)
    sync.go(10, 0.2)
    before = sync.forecast.seconds_left()
    sync.now_ns += 30 * NS
    after = sync.forecast.seconds_left()
    assert before == 80
    assert after == 320


def test_old_speed_is_forgotten() -> None:
    sync = Syncing()
    for step in range(1, 601):
        sync.go(1, step / 10_000)
    for step in range(1, 301):
        sync.go(1, 0.06 + step / 1000)
    left = sync.forecast.seconds_left()
    assert left is not None
    assert abs(left - 640) <= 2


def test_a_longer_chain_restarts_the_estimate_and_the_end_is_zero() -> None:
    sync = Syncing()
    sync.go(1, 0.5)
    sync.go(10, 0.9)
    sync.go(1, 0.3)
    assert sync.forecast.seconds_left() is None
    sync.go(10, 0.4)
    assert sync.forecast.seconds_left() == 60
    sync.state = replace(sync.state, behind=False, progress=1.0)
    assert sync.forecast.seconds_left() == 0
