"""Server-sent events of a real node: kinds, filters, and resuming after a break."""

from __future__ import annotations

import pytest

from pychain.wallet.keys import dev_key
from tests.api.node import ApiNode
from tests.api.web import EventSource, get


def test_a_new_tip_is_told(node: ApiNode) -> None:
    with EventSource(node.base) as events:
        hashes = node.generate(2)
        first, second = events.next("tip"), events.next("tip")
    height = node.call("getblockcount")
    assert [first.data["hash"], second.data["hash"]] == hashes
    assert second.data["previousblockhash"] == hashes[0]
    assert (second.data["height"], second.data["connected"], second.data["disconnected"]) == (height, 1, 0)


def test_a_reorganisation_is_told_with_both_branches(node: ApiNode) -> None:
    fork = node.call("getbestblockhash")
    height = node.call("getblockcount")
    old = node.generate(2)
    with EventSource(node.base, "?types=reorg,tip") as events:
        node.call("invalidateblock", old[0])
        events.next("tip")
        new = node.generate(1)
        node.call("reconsiderblock", old[0])
        assert events.next("tip").data["hash"] == new[0]
        reorg, tip = events.next(), events.next()
    assert (reorg.kind, tip.kind) == ("reorg", "tip")
    assert reorg.data["fork"] == {"hash": fork, "height": height}
    assert reorg.data["depth"] == 1
    assert reorg.data["disconnected"] == [{"hash": new[0], "height": height + 1}]
    assert [block["hash"] for block in reorg.data["connected"]] == old
    assert reorg.data["old_tip"] == reorg.data["disconnected"][-1]
    assert reorg.data["new_tip"] == reorg.data["connected"][-1] == {"hash": old[1], "height": height + 2}
    assert tip.data["hash"] == old[1]


def test_only_the_wanted_kinds_are_told(node: ApiNode) -> None:
    with EventSource(node.base, "?types=tx") as events, EventSource(node.base, "?types=tip") as tips:
        txid = node.call("sendrawtransaction", node.transfer(dev_key(2), dev_key(3), 5, 700))
        (block_hash,) = node.generate(1)
        told = events.next()
        assert told.kind == "tx"
        assert (told.data["txid"], told.data["status"], told.data["fee"]) == (txid, "accepted", 700)
        assert tips.next().data["hash"] == block_hash


def test_a_listener_that_reconnects_gets_the_missed_events(node: ApiNode) -> None:
    with EventSource(node.base, "?types=tip") as events:
        node.generate(1)
        last = events.next()
    missed = node.generate(3)
    with EventSource(node.base, "?types=tip", last_event_id=last.id) as events:
        assert [events.next().data["hash"] for _ in missed] == missed
    with EventSource(node.base, f"?types=tip&last_event_id={last.id}") as events:
        assert events.next().data["hash"] == missed[0]


@pytest.mark.parametrize("last_event_id", ["0", "deadbeef-1", "", "x" * 1000, "-1"])
def test_a_listener_that_reconnects_to_another_run_starts_over(node: ApiNode, last_event_id: str) -> None:
    with EventSource(node.base, "?types=tip", last_event_id=last_event_id) as events:
        assert events.next().kind == "reset"
        (block_hash,) = node.generate(1)
        assert events.next().data["hash"] == block_hash


@pytest.mark.parametrize("query", ["?types=", "?types=tip,nothing", "?type=tip", "?types=tip&limit=1"])
def test_what_no_listener_can_mean(node: ApiNode, query: str) -> None:
    assert get(node.base, f"/api/v1/events{query}").status == 400


def test_the_head_of_a_stream(node: ApiNode) -> None:
    reply = get(node.base, "/api/v1/events", "HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["cache-control"] == "no-store"
