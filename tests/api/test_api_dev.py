"""Development networks: snapshots and the way back, mining by itself, networking switched off and on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pychain.wallet.keys import dev_key
from tests.api.node import ApiError, ApiNode, address
from tests.api.web import EventSource


@pytest.fixture(autouse=True)
def _undone(node: ApiNode) -> Iterator[None]:
    """Whatever a test switched on is off for the next."""
    yield
    node.call("dev_automine", "off")
    node.call("setmocktime", 0)
    node.call("setnetworkactive", True)


def state(node: ApiNode) -> dict[str, Any]:
    """All that a snapshot is about."""
    return {
        "tip": node.call("getbestblockhash"),
        "pending": node.call("getrawmempool"),
        "accounts": [node.call("getaccount", address(dev_key(number))) for number in range(5)],
    }


def send(node: ApiNode, sender: int, amount: int = 5) -> str:
    txid: str = node.call("sendrawtransaction", node.transfer(dev_key(sender), dev_key(4), amount, 100))
    return txid


def test_going_back_restores_blocks_transfers_and_balances(node: ApiNode) -> None:
    node.generate(1)
    send(node, 0)
    before = state(node)
    snapshot = node.call("dev_snapshot")
    send(node, 1)
    node.generate(3)
    send(node, 2)
    assert state(node) != before
    assert node.call("dev_revert", snapshot) is True
    assert state(node) == before
    node.generate(1)
    assert node.call("getrawmempool") == [], "the pending transfers are mined as if nothing had happened"


def test_snapshots_are_used_once_and_take_later_ones_along(node: ApiNode) -> None:
    first, second = node.call("dev_snapshot"), node.call("dev_snapshot")
    node.generate(1)
    third = node.call("dev_snapshot")
    assert node.call("dev_revert", second) is True
    assert node.call("dev_revert", second) is False
    assert node.call("dev_revert", third) is False
    assert node.call("dev_revert", first) is True
    assert node.call("dev_revert", 10**6) is False


def test_going_back_again_and_again(node: ApiNode) -> None:
    """As a test suite does: each time another branch grows on the same block."""
    before = state(node)
    for length in (3, 1, 2):
        snapshot = node.call("dev_snapshot")
        node.generate(length)
        assert node.call("dev_revert", snapshot) is True
        assert state(node) == before


def test_the_way_back_leads_over_a_reorganisation(node: ApiNode) -> None:
    before = state(node)
    (old,) = node.generate(1)
    snapshot, at_snapshot = node.call("dev_snapshot"), state(node)
    node.call("invalidateblock", old)
    node.generate(2)
    assert node.call("dev_revert", snapshot) is True
    assert state(node) == at_snapshot
    node.call("invalidateblock", old)
    assert node.call("getbestblockhash") == before["tip"], "both branches since then are invalid"


def test_the_clock_goes_back_too(node: ApiNode) -> None:
    now = node.call("getblockchaininfo")["mediantime"] + 1000
    node.call("setmocktime", now)
    snapshot = node.call("dev_snapshot")
    node.call("setmocktime", now + 50_000)
    node.generate(1)
    assert node.call("dev_revert", snapshot) is True
    node.generate(1)
    assert node.call("getblockchaininfo")["time"] == now


def test_networking_is_off_after_going_back(node: ApiNode, tmp_path_factory: pytest.TempPathFactory) -> None:
    snapshot = node.call("dev_snapshot")
    with ApiNode(tmp_path_factory.mktemp("peer") / "node", connect=[node.process.p2p]) as peer:
        node.process.until(lambda: node.call("getconnectioncount") == 1)
        node.generate(2)
        peer.process.until(lambda: peer.call("getbestblockhash") == node.call("getbestblockhash"))
        ahead = peer.call("getblockcount")
        assert node.call("dev_revert", snapshot) is True
        node.process.until(lambda: node.call("getconnectioncount") == 0)
        assert node.call("getnetworkinfo")["networkactive"] is False
        with pytest.raises(ApiError) as refused:
            node.call("addnode", peer.process.p2p, "onetry")
        assert refused.value.code == -31
        assert node.call("setnetworkactive", True) is True
        node.call("addnode", peer.process.p2p, "onetry")
        node.process.until(lambda: node.call("getconnectioncount") == 1)
        node.generate(1)
        assert node.call("getblockcount") == ahead - 1, "the peer's longer branch counts as invalid here"


def test_each_transfer_is_mined_as_it_comes(node: ApiNode) -> None:
    assert node.call("dev_automine") == {"mode": "off", "interval": None, "address": None}
    with EventSource(node.base, "?types=tip") as events:
        assert node.call("dev_automine", "transaction", address(dev_key(7)))["mode"] == "transaction"
        for sender in (0, 1):
            txid = send(node, sender)
            events.next("tip")
            node.process.until(lambda: node.call("getrawmempool") == [])
            mined = node.call("getrawtransaction", txid, True)
            assert mined["confirmations"] == 1
            coinbase = node.call("getblock", mined["blockhash"], 2)["tx"][0]
            assert coinbase["recipient"] == address(dev_key(7))
        assert node.call("dev_automine", False)["mode"] == "off"
        txid = send(node, 2)
    assert node.call("getrawmempool") == [txid]
    assert node.call("dev_automine", True)["mode"] == "transaction"
    node.process.until(lambda: node.call("getrawmempool") == [])


def test_a_block_every_so_often(node: ApiNode) -> None:
    height = node.call("getblockcount")
    assert node.call("dev_automine", 0.05) == {"mode": "interval", "interval": 0.05, "address": address(dev_key(0))}
    node.process.until(lambda: node.call("getblockcount") >= height + 3)


@pytest.mark.parametrize("mode", ["often", 0, -1, 1e9, [], {}])
def test_what_is_no_way_of_mining(node: ApiNode, mode: Any) -> None:
    with pytest.raises(ApiError) as refused:
        node.call("dev_automine", mode)
    assert refused.value.code in (-3, -8)
