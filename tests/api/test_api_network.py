"""Peers, bans, accounts, help and the clock over the API, on two real nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pychain import __version__
from pychain.wallet.keys import PrivateKey, dev_key
from tests.api.node import SPEC, ApiError, ApiNode, address
from tests.daemon.process import TIMEOUT_S, Daemon


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiNode]:
    with ApiNode(tmp_path_factory.mktemp("api") / "other") as api_node:
        yield api_node


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def connections(node: ApiNode) -> int:
    count: int = node.call("getnetworkinfo")["connections"]
    return count


def test_a_peer_is_added_seen_from_both_sides_and_removed(node: ApiNode, other: ApiNode) -> None:
    there = other.process.p2p
    node.call("addnode", there, "add")
    until(lambda: connections(node) == connections(other) == 1)
    until(lambda: "pingtime" in node.call("getpeerinfo")[0])
    [seen], [sees] = node.call("getpeerinfo"), other.call("getpeerinfo")
    assert (seen["addr"], seen["inbound"], seen["connection_type"], seen["state"]) == (there, False, "manual", "ready")
    assert (sees["inbound"], sees["connection_type"]) == (True, "inbound")
    assert seen["subver"] == f"/pychain:{__version__}/"
    assert (seen["version"], seen["startingheight"], seen["misbehaviour"]) == (1, 0, 0)
    assert 0 <= seen["minping"] <= seen["pingtime"]
    assert seen["bytessent"] > 0
    assert seen["messagessent"]["hello"] == seen["messagesrecv"]["hello"] == 1
    info = node.call("getnetworkinfo")
    assert (info["connections_in"], info["connections_out"], info["addednodes"]) == (0, 1, [there])
    assert info["localaddresses"] == [node.process.p2p]
    assert info["node_id"].startswith("12D3KooW")
    with pytest.raises(ApiError, match=r"-23: .* is already kept connected"):
        node.call("addnode", there, "add")

    block_hash = node.generate(1)[0]
    assert other.call("waitforblockheight", 1)["hash"] == block_hash

    node.call("addnode", there, "remove")
    assert connections(node) == 1, "an open connection stays"
    node.call("disconnectnode", there)
    until(lambda: connections(node) == connections(other) == 0)
    with pytest.raises(ApiError, match=r"-24: .* was not added"):
        node.call("addnode", there, "remove")


def test_a_peer_is_tried_once_and_disconnected_by_its_number(node: ApiNode, other: ApiNode) -> None:
    node.call("addnode", other.process.p2p, "onetry")
    until(lambda: connections(node) == 1)
    node.call("disconnectnode", nodeid=node.call("getpeerinfo")[0]["id"])
    until(lambda: node.call("getpeerinfo") == [])


def test_a_banned_network_is_kept_out(node: ApiNode, other: ApiNode) -> None:
    node.call("setban", "127.0.0.0/8", "add", 1000)
    [ban] = node.call("listbanned")
    assert (ban["address"], ban["ban_duration"]) == ("127.0.0.0/8", 1000)
    assert ban["banned_until"] - ban["ban_created"] == 1000 >= ban["time_remaining"] > 0
    other.call("addnode", node.process.p2p, "onetry")
    until(lambda: f"{node.process.p2p.rpartition(':')[0]}" in other.process.log and "banned" in other.process.log)
    assert connections(other) == 0
    node.call("setban", "127.0.0.0/8", "remove")
    assert node.call("listbanned") == []


@pytest.mark.parametrize(
    ("method", "params", "code", "line"),
    [
        ("addnode", ["nowhere", "add", "more"], -32602, "too many"),
        ("addnode", ["no where", "add"], -8, "is not an address"),
        ("addnode", ["192.0.2.1:99999", "add"], -8, "is not an address"),
        ("addnode", ["192.0.2.1:1", "befriend"], -8, "Invalid enum value 'befriend'"),
        ("disconnectnode", [], -8, "Only one of address and nodeid"),
        ("disconnectnode", ["192.0.2.1:1", 3], -8, "Only one of address and nodeid"),
        ("disconnectnode", ["192.0.2.1:1"], -29, "Node not found"),
        ("disconnectnode", ["", 4711], -29, "there is no peer 4711"),
        ("setban", ["nowhere", "add"], -30, "neither an IP address nor a network"),
        ("setban", ["192.0.2.1", "remove"], -30, "was not banned"),
        ("setban", ["192.0.2.1", "add", 5, True], -8, "in the past"),
        ("setban", ["192.0.2.1", "add", -5], -8, ">= 0"),
        ("getaccount", ["nowhere"], -5, "Invalid address"),
        ("getaccounthistory", ["nowhere"], -5, "Invalid address"),
        ("getaccounthistory", [address(dev_key(0)), 0], -8, ">= 1"),
        ("getaccounthistory", [address(dev_key(0)), 1_001], -8, "<= 1000"),
        ("getaccounthistory", [address(dev_key(0)), 1, "ab" * 32], -5, "No such transaction in the active chain"),
        ("help", ["nothing"], -32601, "unknown method 'nothing'"),
        ("setmocktime", [-1], -8, ">= 0"),
    ],
)
def test_what_cannot_be_done_says_why(node: ApiNode, method: str, params: list[object], code: int, line: str) -> None:
    with pytest.raises(ApiError) as caught:
        node.call(method, *params)
    assert caught.value.code == code
    assert line in caught.value.message


def test_an_account_that_never_was_has_nothing(node: ApiNode) -> None:
    key = PrivateKey(b"x" * 32)
    assert node.call("getaccount", address(key)) == {
        "address": address(key),
        "public_key": key.public_key.hex(),
        "balance": 0,
        "available": 0,
        "immature": 0,
        "next_sequence": 0,
        "pending_sequence": 0,
        "pending": 0,
    }


def test_an_address_may_be_written_in_capitals(node: ApiNode) -> None:
    assert node.call("getaccount", address(dev_key(0)).upper()) == node.call("getaccount", address(dev_key(0)))


def test_help_lists_every_method_and_describes_each(node: ApiNode) -> None:
    overview = node.call("help")
    names = [line.split()[0] for line in overview.splitlines() if line and not line.startswith("==")]
    assert len(names) == len(set(names)) > 30
    for name in names:
        text = node.call("help", name)
        assert text.startswith(name)
        assert "Result" in text


def test_the_clock_can_be_set_on_a_dev_network(node: ApiNode) -> None:
    later = int(time.time()) + 5000
    node.call("setmocktime", later)
    try:
        block = node.call("getblock", node.generate(1)[0])
        assert block["time"] == later
    finally:
        node.call("setmocktime", 0)
    assert node.call("uptime") < 3600


def test_no_other_network_has_the_methods_of_dev_networks(tmp_path: Path) -> None:
    with Daemon(tmp_path / "node", network="race").wait_ready() as race:
        with pytest.raises(Exception, match="method 'setmocktime' is unknown"):
            race.rpc("setmocktime", 5)
        assert "setmocktime" not in race.rpc("help")
        assert race.rpc("getchainspec")["dev"] is False
    assert SPEC.dev
