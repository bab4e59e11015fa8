"""The API of a simulated node: calls, resources, events and pages in virtual time, through crashes and ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pychain.api.errors import Code, RpcError
from pychain.base.time import NS
from pychain.chain.address import encode_address
from pychain.consensus.rulebook import Rulebook
from pychain.sim.api import HostApi, HostDownError, UnansweredError
from pychain.sim.host import Host
from pychain.sim.world import World
from pychain.wallet.keys import dev_key
from tests.support.networks import line_world, quick_spec

ADDRESS = encode_address("dpyc", dev_key(9).public_key)


def lone(seed: int = 1) -> tuple[World, Host]:
    """A host without peers that mines nothing by itself."""
    world = World(Rulebook(quick_spec()), seed)
    host = world.add("lone")
    world.start()
    return world, host


def mine(host: Host, count: int) -> list[str]:
    hashes: list[str] = host.api.call("generatetoaddress", count, ADDRESS)
    assert len(hashes) == count
    return hashes


# --- calls


def test_what_is_there_at_once_takes_no_time() -> None:
    world, host = lone()
    world.run_for(3)
    assert host.api.call("getblockcount") == 0
    assert host.api.call("getblockhash", height=0) == world.rulebook.spec.genesis_hash[::-1].hex()
    assert host.api.call("uptime") == 3
    assert world.heap.now_ns == 3 * NS


def test_a_call_lets_the_world_run_until_it_is_answered() -> None:
    world, hosts = line_world(3, 3)
    world.start()
    tip = hosts[0].api.call("waitforblockheight", 5)
    assert tip["height"] >= 5
    assert host_tip(hosts[0]) == tip["hash"]
    assert any(host.node.queries.tip.height > 0 for host in hosts[1:])


def host_tip(host: Host) -> str:
    return host.node.queries.tip.hash[::-1].hex()


def test_errors_are_those_of_the_method() -> None:
    _, host = lone()
    with pytest.raises(RpcError, match="out of range") as caught:
        host.api.call("getblockhash", 7)
    assert caught.value.code == Code.INVALID_PARAMETER
    with pytest.raises(RpcError, match="unknown"):
        host.api.call("getnothing")


def test_a_call_that_waits_can_be_begun_and_looked_at_later() -> None:
    world, host = lone()
    pending = host.api.begin("waitforblockheight", 2)
    world.run_for(100)
    mine(host, 1)
    assert not pending.done
    with pytest.raises(UnansweredError, match="not answered yet"):
        _ = pending.result
    mine(host, 1)
    assert pending.wait()["height"] == 2
    assert pending.result["height"] == 2


def test_a_wait_has_its_timeout_in_virtual_time() -> None:
    world, host = lone()
    assert host.api.call("waitfornewblock", 250_000)["height"] == 0
    assert world.heap.now_ns == 250 * NS


def test_no_answer_is_an_error_that_names_the_seed() -> None:
    world, host = lone(seed=77)
    host.api.limit_s = 50
    with pytest.raises(UnansweredError, match=r"seed 77: no answer of waitfornewblock to lone: .* than 50 s"):
        host.api.call("waitfornewblock")
    assert world.heap.now_ns == 50 * NS


def test_where_nothing_is_left_to_happen_none_is_waited_for() -> None:
    world, host = lone(seed=78)
    pending = host.api.begin("waitfornewblock")
    host._tick_ns = None
    world.heap._heap.clear()
    with pytest.raises(UnansweredError, match=r"seed 78: .*: nothing is left to happen"):
        pending.wait()
    assert world.heap.now_ns == 0


def test_a_caller_may_hang_up() -> None:
    world, host = lone()
    pending = host.api.begin("generatetoaddress", 1000, ADDRESS)
    world.run_until(lambda: host.node.queries.tip.height >= 3, limit_s=60)
    pending.cancel()
    world.run_for(10)
    assert host.node.queries.tip.height < 10
    with pytest.raises(HostDownError, match="cut off"):
        _ = pending.result


def test_it_works_inside_a_running_event_loop() -> None:
    async def inside() -> int:
        _, host = lone()
        mine(host, 2)
        with host.api.events("tip", timeout_s=1) as events:
            mine(host, 1)
            assert [event.data["height"] for event in events] == [3]
        return int(host.api.call("getblockcount"))

    assert asyncio.run(inside()) == 3


def test_two_runs_of_one_seed_are_the_same() -> None:
    def run() -> tuple[str, object]:
        world, hosts = line_world(11, 3)
        world.start()
        hosts[1].api.call("waitforblockheight", 3)
        mine(hosts[1], 2)
        with hosts[2].api.events() as events:
            heard = [next(events) for _ in range(5)]
        hosts[0].api.call("setmining", None)
        return world.trace.hexdigest(), (heard, hosts[0].api.get("/mining"))

    assert run() == run()


# --- resources, pages, metrics


def test_resources_are_answered_with_status_and_json() -> None:
    _, host = lone()
    (first,) = mine(host, 1)
    status, block = host.api.get(f"/block/{first}?limit=1")
    assert (status, block["height"], block["tx"][0]["recipient"]) == (200, 1, ADDRESS)
    status, problem = host.api.get("/block/99")
    assert (status, problem["error"]["code"]) == (404, Code.INVALID_ADDRESS_OR_KEY)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/openapi.json", "application/json"),
        ("/openrpc.json", "application/json"),
        ("/metrics", "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
    ],
)
def test_the_whole_site_is_there(path: str, content_type: str) -> None:
    _, host = lone()
    reply = host.api.request("GET", path)
    assert reply.status == 200
    assert reply.headers["content-type"].partition(";")[0] == content_type.partition(";")[0]
    assert reply.body
    assert host.api.request("HEAD", path).body == b""


def test_what_is_not_served_is_refused_as_by_a_daemon() -> None:
    world, host = lone()
    assert host.api.request("GET", "/nothing").status == 404
    assert host.api.request("DELETE", "/rpc").status == 405
    assert host.api.request("POST", "/rpc", b"{}").status == 415
    json = {"Content-Type": "application/json; charset=utf-8"}
    assert host.api.request("POST", "/rpc", b"{", json).status == 500
    assert host.api.request("POST", "/rpc", bytes(3 * world.rulebook.spec.max_block_bytes), json).status == 413
    assert host.api.request("POST", "/", b'{"method":"getblockcount"}', json).status == 200
    with pytest.raises(ValueError, match="no end"):
        host.api.request("GET", "/api/v1/events")


def test_what_has_not_changed_is_not_sent_again() -> None:
    _, host = lone()
    for path in ("/api/v1/tips", "/"):
        tag = host.api.request("GET", path).headers["etag"]
        assert host.api.request("GET", path, headers={"If-None-Match": tag}).status == 304


def test_metrics_count_from_the_start_of_the_life() -> None:
    world, hosts = line_world(5, 2)
    world.start()
    world.run_until(lambda: hosts[0].node.queries.tip.height >= 3, limit_s=600)
    hosts[0].api.call("getblockcount")
    figures = metrics(hosts[0])
    assert figures["pychain_block_height"] == hosts[0].node.queries.tip.height
    assert figures["pychain_blocks_connected_total"] >= 3
    assert figures['pychain_peers{direction="inbound"}'] == 1
    assert figures["pychain_mining_hashes_per_second"] == hosts[0].hash_rate
    assert figures["pychain_mining_hashes_total"] == pytest.approx(hosts[0].hash_rate * world.heap.now_ns / NS, rel=0.1)
    assert figures["pychain_uptime_seconds"] == pytest.approx(world.heap.now_ns / NS, abs=0.01)
    assert figures['pychain_api_request_seconds_count{method="getblockcount"}'] == 1
    assert figures['pychain_http_responses_total{code="200"}'] == 1
    assert not any(name.startswith("process_") for name in figures), "the process is not the node's"


def metrics(host: Host) -> dict[str, float]:
    text = host.api.request("GET", "/metrics").body.decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


# --- events


def test_events_come_in_their_order_and_end_after_a_silence() -> None:
    world, host = lone()
    with host.api.events(timeout_s=30) as events:
        mine(host, 2)
        assert [(event.kind, event.data["height"]) for event in events] == [("tip", 1), ("tip", 2)]
        assert world.heap.now_ns >= 30 * NS
        mine(host, 1)
        assert next(events).data["height"] == 3


def test_a_listener_may_choose_and_come_back() -> None:
    world, hosts = line_world(6, 2)
    with pytest.raises(HostDownError):
        hosts[0].api.events()
    world.start()
    with hosts[0].api.events("tip") as events:
        first = next(events)
        next(events)
    with hosts[0].api.events("tip", last_event_id=first.id) as events:
        second = next(events)
    assert (first.kind, second.kind) == ("tip", "tip")
    assert second.data["previousblockhash"] == first.data["hash"]
    with pytest.raises(RpcError, match="there are no events 'nothing'"):
        hosts[0].api.events("nothing")


def test_a_listener_hears_the_end_of_the_host() -> None:
    world, host = lone()
    events = host.api.events(timeout_s=10_000)
    mine(host, 1)
    world.run_for(1)
    host.crash()
    assert [event.kind for event in events] == ["tip"]


def test_nobody_listens_and_nothing_runs() -> None:
    """Signs of life are for listeners: without any, none of them keeps the world going."""
    world, host = lone()
    host.api.call("getblockcount")
    world.run_for(100)
    planned = len(world.heap._heap)
    with host.api.events("peer", timeout_s=100) as events:
        assert list(events) == []
    world.run_for(100)
    assert len(world.heap._heap) == planned


# --- the machine


def test_the_machine_is_the_host() -> None:
    world, hosts = line_world(9, 2)
    world.start()
    world.run_for(20)
    info = hosts[0].api.call("getnetworkinfo")
    assert (info["node_id"], info["localaddresses"]) == ("n0", [hosts[0].address.host_port])
    assert info["connections_in"] == 1
    mining = hosts[0].api.call("getmininginfo")
    assert (mining["mining"], mining["threads"], mining["hashespersec"]) == (True, 1, hosts[0].hash_rate)
    assert hosts[0].api.call("getstratuminfo")["listening"] is None
    assert hosts[0].api.call("getblockchaininfo")["pruneheight"] is None
    totals = hosts[0].api.call("getnettotals")
    assert totals["timemillis"] == world.start_wall_s * 1000 + 20_000
    hosts[0].api.call("setmining", None)
    assert hosts[0].api.call("getmininginfo")["hashespersec"] == 0


def test_the_clock_of_the_node_can_be_mocked_until_its_next_life() -> None:
    world, host = lone()
    host.api.call("setmocktime", world.start_wall_s + 1000)
    mine(host, 1)
    assert host.node.queries.tip.header.time == world.start_wall_s + 1000
    assert host.api.call("getnettotals")["timemillis"] < world.start_wall_s * 1000 + 10_000
    host.crash()
    host.start()
    assert host.now.wall_s < world.start_wall_s + 10


def test_snapshots_automining_and_checks_run_as_in_a_daemon() -> None:
    world, host = lone()
    mine(host, 2)
    snapshot = host.api.call("dev_snapshot")
    assert host.api.call("dev_automine", 5)["mode"] == "interval"
    world.run_for(31)
    assert host.api.call("dev_automine", "off")["mode"] == "off"
    assert host.api.call("getblockcount") == 8
    assert host.api.call("dev_revert", snapshot) is True
    assert host.api.call("getblockcount") == 2
    assert host.api.call("verifychain", 4, 0) is True
    assert host.api.call("dev_snapshot") == 2
    assert host.api.call("estimatesmartfee", 2)["blocks"] == 2


# --- crash, restart, end


def test_a_crash_cuts_calls_off_and_a_new_life_answers_again() -> None:
    world, host = lone()
    mine(host, 3)
    snapshot = host.api.call("dev_snapshot")
    pending = [host.api.begin(method, *params) for method, params in WAITING]
    host.crash()
    for each in pending:
        with pytest.raises(HostDownError, match="cut off"):
            each.wait()
    with pytest.raises(HostDownError, match="lone is not running"):
        host.api.call("getblockcount")
    world.run_for(5)
    host.start()
    assert host.api.call("getblockcount") == 3
    assert host.api.call("uptime") == 0
    assert host.api.call("dev_revert", snapshot) is False, "snapshots live in memory"


WAITING: list[tuple[str, tuple[Any, ...]]] = [
    ("waitforblockheight", (100,)),
    ("waitfornewblock", (1000,)),
    ("getblocktemplate", ()),
]


def test_a_stop_in_order_tells_those_who_wait() -> None:
    world, host = lone()
    pending = host.api.begin("waitfornewblock")
    assert host.api.call("stop") == "pychain stopping"
    with pytest.raises(RpcError, match="stopping"):
        pending.wait()
    assert not host.is_running
    assert host.fault is None
    with pytest.raises(HostDownError):
        host.api.get("/status")
    host.start()
    assert host.api.get("/status").status == 200
    world.run_for(1)


@pytest.mark.parametrize("method", ["getblocktemplate", "generatetoaddress"])
def test_what_needs_the_node_while_it_stops_is_refused(method: str) -> None:
    _, host = lone()
    pending = host.api.begin(method, *([1, ADDRESS] if method == "generatetoaddress" else []))
    host.stop()
    with pytest.raises(RpcError, match="the node is stopping") as caught:
        pending.wait()
    assert caught.value.code == Code.MISC_ERROR


def test_automining_ends_with_the_node() -> None:
    world, host = lone()
    host.api.call("dev_automine", 1)
    world.run_for(2)
    host.stop()
    world.run_for(10)
    assert host.fault is None
    host.start()
    height = host.api.call("getblockcount")
    world.run_for(10)
    assert host.api.call("getblockcount") == height


def test_the_api_is_one_for_all_lives() -> None:
    _, host = lone()
    api = host.api
    assert isinstance(api, HostApi)
    host.crash()
    host.start()
    assert host.api is api


# --- the disk


def test_a_damaged_block_is_told_of_and_can_be_asked_for_again() -> None:
    """Whoever wants a block finds out: the caller is told, and the node gets the body from its peer."""
    world = World(Rulebook(quick_spec()), seed=4)
    hosts = [world.add("one"), world.add("other", connect=["one"])]
    world.start()
    blocks = mine(hosts[0], 3)
    hosts[1].api.call("waitforblockheight", 3)
    host = hosts[1]
    host.crash()
    host.start()  # what was in memory is on the disk alone
    host.disk.damage(bytes.fromhex(blocks[1])[::-1])
    with pytest.raises(RpcError, match="damaged"):
        host.api.call("getblock", blocks[1])
    world.run_for(60)
    assert host.api.call("getblock", blocks[1])["height"] == 2


def test_a_check_of_the_chain_finds_what_the_disk_has_lost() -> None:
    world, host = lone()
    blocks = mine(host, 3)
    assert host.api.call("verifychain", 0, 0) is True
    host.disk.damage(bytes.fromhex(blocks[0])[::-1])
    host.crash()
    host.start()
    world.run_for(1)
    assert host.api.call("verifychain", 0, 2) is True
    assert host.api.call("verifychain", 0, 0) is False


def test_a_full_disk_ends_the_node_and_callers_are_told() -> None:
    _, host = lone()
    mine(host, 1)
    host.disk.fill()
    with pytest.raises(RpcError, match="the node is stopping"):
        host.api.call("generatetoaddress", 1, ADDRESS)
    assert not host.is_running
    assert host.fault is not None
    host.disk.free()
    host.start()
    assert host.api.call("getblockcount") == 1
