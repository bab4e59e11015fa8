"""The Stratum server of a real node, with a miner that knows only the public protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pychain.wallet.keys import dev_key
from tests.api.node import SPEC, ApiNode, address
from tests.support.stratum import Miner, StratumError, Work

ONE, OTHER = address(dev_key(6)), address(dev_key(7))
IDLE, ACTIVE = 500, 20


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiNode]:
    with ApiNode(tmp_path_factory.mktemp("stratum") / "node", stratum_port=0) as api_node:
        yield api_node


@pytest.fixture
def pool(node: ApiNode) -> str:
    """host:port of the server."""
    assert node.process.ready is not None
    host_port: str = node.process.ready["stratum"]
    return host_port


def at_tip(node: ApiNode, miner: Miner) -> Work:
    """A job on the node's tip."""
    tip = bytes.fromhex(node.call("getbestblockhash"))[::-1]
    work = miner.wait_work()
    while work.prev_hash != tip:
        work = miner.wait_work(after=work)
    return work


def info_of(node: ApiNode, user: str) -> dict[str, Any]:
    [worker] = [each for each in node.call("getstratuminfo")["workers"] if each["user"] == user]
    shares: dict[str, Any] = worker["shares"]
    return shares


def test_a_miner_from_the_public_protocol_mines_blocks_with_transfers(node: ApiNode, pool: str) -> None:
    height = node.call("getblockcount")
    with Miner(pool, f"{ONE}.rig").log_in() as miner:
        at_tip(node, miner)
        txid = node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 5, 3))
        block_hash = [miner.mine_block() for _ in range(5)][-1]
        node.call("waitforblockheight", height + 5)
        assert node.call("getbestblockhash") == block_hash[::-1].hex()
    mined = [
        txid
        for at in range(height + 1, height + 6)
        for txid in node.call("getblock", node.call("getblockhash", at))["tx"]
    ]
    assert txid in mined
    assert info_of(node, f"{ONE}.rig")["blocks"] == 5
    assert node.call("getaccount", ONE)["immature"] >= SPEC.initial_subsidy


def test_two_addresses_are_both_paid(node: ApiNode, pool: str) -> None:
    def paid(user: str) -> int:
        account = node.call("getaccount", user)
        return int(account["balance"] + account["immature"])

    before = [paid(user) for user in (ONE, OTHER)]
    with Miner(pool, ONE).log_in() as one, Miner(pool, OTHER).log_in() as other:
        for miner in (one, other, one):
            at_tip(node, miner)
            height = node.call("getblockcount")
            miner.mine_block()
            node.call("waitforblockheight", height + 1)
    assert paid(ONE) - before[0] == 2 * SPEC.initial_subsidy
    assert paid(OTHER) - before[1] == SPEC.initial_subsidy


def test_versions_are_rolled_if_agreed(node: ApiNode, pool: str) -> None:
    with Miner(pool, ONE).log_in(roll=True) as miner:
        at_tip(node, miner)
        height = node.call("getblockcount")
        block_hash = miner.mine_block(roll=True)
        node.call("waitforblockheight", height + 1)
    assert node.call("getbestblockhash") == block_hash[::-1].hex()
    assert node.call("getblockheader", node.call("getbestblockhash"))["version"] == 0x10000001


def test_a_new_tip_brings_a_clean_job_and_makes_the_old_one_stale(node: ApiNode, pool: str) -> None:
    with Miner(pool, ONE).log_in() as miner:
        at_tip(node, miner)
        old = miner.client.search()
        node.generate(1)
        assert at_tip(node, miner).clean
        with pytest.raises(StratumError) as refused:
            miner.submit(old)
        assert refused.value.code == 21
    assert info_of(node, ONE)["rejected"]["stale"] == 1


def test_a_user_without_an_address_of_this_network_gets_no_work(pool: str) -> None:
    with Miner(pool, "rpyc1qqqq.rig") as miner:
        with pytest.raises(StratumError, match="ADDRESS") as refused:
            miner.log_in()
        assert refused.value.code == 24
        with pytest.raises(StratumError) as refused:
            miner.call("mining.submit", "rpyc1qqqq.rig", "1", "00000000", "00000000", "00000000")
        assert refused.value.code == 24


def test_500_idle_connections_and_20_active_ones_are_held(node: ApiNode, pool: str) -> None:
    """Half of the idle ones are logged in, the other half never send anything."""
    idle = [Miner(pool, f"{ONE}.idle{number}") for number in range(IDLE)]
    for miner in idle[::2]:
        miner.log_in()
    height = node.call("getblockcount")
    start = threading.Barrier(ACTIVE)

    def work(number: int) -> list[bytes]:
        with Miner(pool, f"{OTHER}.busy{number}").log_in() as miner:
            start.wait()
            return [miner.mine_block() for _ in range(3)]

    with ThreadPoolExecutor(ACTIVE) as threads:
        found = [block_hash for hashes in threads.map(work, range(ACTIVE)) for block_hash in hashes]
    assert len(set(found)) == 3 * ACTIVE
    node.call("waitforblockheight", height + 1)
    on_chain = {node.call("getblockhash", at) for at in range(height + 1, node.call("getblockcount") + 1)}
    assert on_chain <= {block_hash[::-1].hex() for block_hash in found}
    assert len(node.call("getstratuminfo")["connections"]) >= IDLE
    for miner in idle:
        assert miner.call("mining.subscribe")[1], "it is still there, and served"
        miner.close()


def test_garbage_ends_a_connection_and_nothing_else(node: ApiNode, pool: str) -> None:
    with Miner(pool) as miner:
        miner.send(b"\x16\x03\x01 this is no JSON\n" * 10)
        assert json.loads(miner.read_line())["method"] == "client.show_message"
        with pytest.raises(ConnectionError):
            miner.read_line()
    with Miner(pool) as miner:
        miner.send(b'{"id":1,"method":"' + b"a" * 5000)
        with pytest.raises(ConnectionError):
            miner.read_line()
    with Miner(pool, ONE).log_in() as miner:
        at_tip(node, miner)


def test_without_a_port_there_is_no_server(tmp_path: Path) -> None:
    with ApiNode(tmp_path / "node") as node:
        assert node.process.ready is not None
        assert node.process.ready["stratum"] is None
        assert node.call("getstratuminfo")["listening"] is None
        assert node.call("getstratuminfo")["workers"] == []


def test_a_stopping_node_disconnects_its_miners(tmp_path: Path) -> None:
    with ApiNode(tmp_path / "node", stratum_port=0) as node:
        assert node.process.ready is not None
        with Miner(node.process.ready["stratum"], ONE).log_in() as miner:
            miner.wait_work()
            assert node.process.stop() == 0
            with pytest.raises(ConnectionError):
                miner.read_line()
    assert "Traceback" not in node.process.log
