"""The live view's picture in the states that a short run in a terminal does not show."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pychain.api.hub import EventHub
from pychain.base.text import format_hash_rate
from pychain.base.time import Now
from pychain.chain.header import new_header
from pychain.daemon.backend import LoopSignal
from pychain.daemon.live import LiveView
from pychain.node.events import NewTip, Notice, PeerUp
from pychain.node.queries import SyncState
from pychain.p2p.netaddress import NetAddress

HEADER = new_header(1, bytes(32), bytes(32), 1_700_000_000, 0x207FFFFF, 0)


class Pool:
    bytes = 4567

    def __len__(self) -> int:
        return 89


def context(hub: EventHub | None = None, **changes: Any) -> Any:
    """The values of a node's API that the view reads, as a table."""
    parts = {
        "tip": SimpleNamespace(height=1234, hash=HEADER.hash, header=HEADER),
        "sync": SyncState(headers=1234, blocks=1234, in_flight=0, verifying=0, behind=False, progress=1.0),
        "peers": [],
        "mining_to": None,
        "template": None,
        "bound": (),
        "seconds_left": None,
        **changes,
    }
    queries = SimpleNamespace(
        tip=parts["tip"],
        mempool=Pool(),
        sync=lambda: parts["sync"],
        peers=lambda: parts["peers"],
        mining_to=parts["mining_to"],
    )
    miner = SimpleNamespace(template=parts["template"], hash_rate=lambda: 2_500_000.0, threads=3)
    return SimpleNamespace(
        spec=SimpleNamespace(name="race"),
        queries=queries,
        machine=SimpleNamespace(miner=miner, addresses=parts["bound"]),
        clock=SimpleNamespace(now=lambda: Now(0, 1_700_000_090)),
        backend=hub or EventHub(LoopSignal),
        uptime_ns=lambda: 0,
        forecast=SimpleNamespace(seconds_left=lambda: parts["seconds_left"]),
    )


def shown(view: LiveView) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(view.picture())
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_a_node_in_step() -> None:
    up = SimpleNamespace(hello=object(), inbound=True)
    coming = SimpleNamespace(hello=None, inbound=True)
    out = SimpleNamespace(hello=object(), inbound=False)
    text = shown(
        LiveView(
            context(
                peers=[up, up, out, coming], bound=(NetAddress("127.0.0.1", 7),), template=SimpleNamespace(height=1235)
            )
        )
    )
    for part in (
        "race",
        "1,234",
        HEADER.hash[::-1].hex(),
        "90 s ago",
        "1 out, 2 in; listening on 127.0.0.1:7",
        "89 transfers, 4,567 bytes",
        "2.50 MH/s on block 1,235, 3 threads",
        "none since the start",
    ):
        assert part in text
    assert "syncing" not in text


def test_a_node_that_syncs_shows_how_far_it_is() -> None:
    state = SyncState(headers=10_000, blocks=2_500, in_flight=8, verifying=4, behind=True, progress=0.25)
    text = shown(LiveView(context(sync=state)))
    assert "syncing" in text
    assert "2,500 of 10,000" in text
    assert "left" not in text
    assert "2,500 of 10,000, 5 min left" in shown(LiveView(context(sync=state, seconds_left=300)))


@pytest.mark.parametrize(("mining_to", "word"), [(None, "off"), (bytes(32), "waiting")])
def test_mining_that_does_not_run_says_why(mining_to: bytes | None, word: str) -> None:
    assert f"mining      {word}" in shown(LiveView(context(mining_to=mining_to)))


def test_reorganisations_are_counted_and_recent_events_are_told_safely() -> None:
    hub = EventHub(LoopSignal)
    view = LiveView(context(hub))
    hub.publish(NewTip(HEADER, 7, (b"a" * 32, b"b" * 32), (HEADER.hash,)))
    hub.publish(NewTip(HEADER, 8, (b"a" * 32,), (HEADER.hash,)))
    hub.publish(PeerUp(1, "/ip4/192.0.2.1/tcp/1", True, "/[bold]evil\x1b[2J/"))
    hub.publish(Notice("warning", "mind the gap"))
    text = shown(view)
    assert "2 reorganisations, the deepest of 2 blocks" in text
    assert r"/[bold]evil\x1b[2J/" in text
    assert "mind the gap" in text


def test_rates_have_units() -> None:
    assert [format_hash_rate(rate) for rate in (0, 999, 1_500, 2_000_000, 3.21e9)] == [
        "0 H/s",
        "999 H/s",
        "1.50 kH/s",
        "2.00 MH/s",
        "3.21 GH/s",
    ]
