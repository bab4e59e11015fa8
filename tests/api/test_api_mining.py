"""Mining over the API: templates that a miner outside can work on, blocks submitted, blocks on demand."""

from __future__ import annotations

import hashlib
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from pychain.chain.block import decode_block
from pychain.consensus.semantic import verify_block
from pychain.wallet.keys import dev_key
from tests.api.node import SPEC, ApiError, ApiNode, address
from tests.daemon.process import TIMEOUT_S

MINER = address(dev_key(8))


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def merkle_root(leaves: list[bytes]) -> bytes:
    while len(leaves) > 1:
        leaves = leaves + leaves[-1:] * (len(leaves) % 2)
        leaves = [sha256d(leaves[i] + leaves[i + 1]) for i in range(0, len(leaves), 2)]
    return leaves[0]


def solve(template: dict[str, Any]) -> bytes:
    """A block built from a template by the public description, as any miner would."""
    parts = [bytes.fromhex(template["coinbasetxn"]["data"])]
    parts += [bytes.fromhex(transaction["data"]) for transaction in template["transactions"]]
    head = struct.pack("<i", template["version"]) + bytes.fromhex(template["previousblockhash"])[::-1]
    head += merkle_root([sha256d(part) for part in parts])
    head += struct.pack("<II", template["curtime"], int(template["bits"], 16))
    for nonce in range(2**32):
        header = head + struct.pack("<I", nonce)
        if int.from_bytes(sha256d(header), "little") <= int(template["target"], 16):
            return header + bytes([len(parts)]) + b"".join(parts)
    raise AssertionError("no nonce")


def test_a_miner_that_knows_only_the_template_makes_the_next_block(node: ApiNode) -> None:
    node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 5, 3))
    template = node.call("getblocktemplate", {"address": MINER, "rules": [], "capabilities": ["coinbasetxn"]})
    assert template["height"] == node.call("getblockcount") + 1
    assert template["previousblockhash"] == node.call("getbestblockhash")
    assert template["coinbasevalue"] == SPEC.initial_subsidy + 3
    assert len(template["coinbasetxn"]["data"]) >= 120
    assert (template["sizelimit"], template["noncerange"]) == (SPEC.max_block_bytes, "00000000ffffffff")
    assert template["mintime"] <= template["curtime"] <= template["maxtime"]
    assert [transaction["fee"] for transaction in template["transactions"]] == [3]

    raw = solve(template)
    assert node.call("submitblock", raw.hex()) is None
    block = verify_block(SPEC, raw)
    assert node.call("getbestblockhash") == block.hash[::-1].hex()
    assert node.call("submitblock", raw.hex()) == "duplicate"
    assert node.call("getaccount", MINER)["immature"] == SPEC.initial_subsidy + 3


def test_each_caller_gets_a_coinbase_of_its_own(node: ApiNode) -> None:
    one, other = (node.call("getblocktemplate", {"address": MINER})["coinbasetxn"] for _ in range(2))
    assert one["txid"] != other["txid"]


def test_a_block_that_breaks_a_rule_is_refused_by_its_code(node: ApiNode) -> None:
    template = node.call("getblocktemplate", {"address": MINER})
    assert node.call("submitblock", solve({**template, "bits": "207ffffe"}).hex()) == "bad-diffbits"
    assert node.call("submitblock", solve({**template, "curtime": template["maxtime"] + 60}).hex()) == "time-too-new"
    assert node.call("submitblock", solve({**template, "curtime": template["mintime"] - 1}).hex()) == "time-too-old"
    dear = bytearray(bytes.fromhex(template["coinbasetxn"]["data"]))
    dear[37] ^= 1  # the amount's lowest byte
    assert node.call("submitblock", solve({**template, "coinbasetxn": {"data": dear.hex()}}).hex()) == "bad-cb-amount"
    unknown = {**template, "previousblockhash": "00" * 31 + "01"}
    assert node.call("submitblock", solve(unknown).hex()) == "prev-blk-not-found"
    wrong_root = bytearray(solve(template))
    wrong_root[40] ^= 1
    assert node.call("submitblock", wrong_root.hex()) in ("bad-txnmrklroot", "high-hash")


def test_a_second_block_at_the_same_height_is_valid_and_not_the_tip(node: ApiNode) -> None:
    template, rival = (node.call("getblocktemplate", {"address": MINER}) for _ in range(2))
    first, second = solve(template), solve(rival)
    assert node.call("submitblock", first.hex()) is None
    assert node.call("submitblock", second.hex()) == "inconclusive"
    statuses = {tip["hash"]: tip["status"] for tip in node.call("getchaintips")}
    assert statuses[sha256d(first[:80])[::-1].hex()] == "active"
    assert statuses[sha256d(second[:80])[::-1].hex()] == "valid-headers"


@pytest.mark.parametrize("hexdata", ["", "zz", "00" * 80, "00" * 81 + "ff"])
def test_hex_that_is_no_block_is_minus_22(node: ApiNode, hexdata: str) -> None:
    with pytest.raises(ApiError, match="-22: Block decode failed"):
        node.call("submitblock", hexdata)


def test_a_long_poll_ends_with_the_next_block(node: ApiNode) -> None:
    first = node.call("getblocktemplate", {"address": MINER})
    other = node.another()
    found: list[Any] = []
    request = {"address": MINER, "longpollid": first["longpollid"]}
    waiting = threading.Thread(target=lambda: found.append(other.call("getblocktemplate", request)))
    waiting.start()
    block_hash = node.generate(1)[0]
    waiting.join(TIMEOUT_S)
    other.close()
    assert found[0]["previousblockhash"] == block_hash
    assert found[0]["longpollid"] != first["longpollid"]


@pytest.mark.parametrize("poll_id", ["", "nonsense", "00" * 32 + "7", "zz" * 32])
def test_a_poll_id_that_is_none_of_ours_does_not_wait(node: ApiNode, poll_id: str) -> None:
    assert node.call("getblocktemplate", {"address": MINER, "longpollid": poll_id})["height"]


def test_a_template_pays_whom_the_node_mines_to(node: ApiNode) -> None:
    """On a dev network, where it mines to nobody, the first of the well-known keys."""
    assert dev_key(0).public_key.hex() in node.call("getblocktemplate")["coinbasetxn"]["data"]
    node.call("setmining", MINER)
    try:
        assert node.call("getmininginfo")["miningaddress"] == MINER
        coinbase = node.call("getblocktemplate")["coinbasetxn"]["data"]
        assert dev_key(8).public_key.hex() in coinbase
    finally:
        node.call("setmining", None)
    info = node.call("getmininginfo")
    assert "miningaddress" not in info
    assert not info["mining"]


def test_a_node_without_mining_threads_leaves_the_search_to_others(tmp_path: Path) -> None:
    with ApiNode(tmp_path / "node", mine=MINER, threads=0) as node:
        assert node.call("submitblock", solve(node.call("getblocktemplate", {"rules": []})).hex()) is None
        info = node.call("getmininginfo")
        assert (info["blocks"], info["mining"], info["threads"], info["hashespersec"]) == (1, True, 0, 0)
        assert node.call("getaccount", MINER)["immature"] == SPEC.initial_subsidy


def test_the_state_of_mining(node: ApiNode) -> None:
    node.generate(1)
    node.call("setmocktime", node.call("getblockchaininfo")["time"] + 100)
    node.generate(1)
    node.call("setmocktime", 0)
    info, tip = node.call("getmininginfo"), node.call("getblockheader", node.call("getbestblockhash"))
    assert (info["chain"], info["blocks"]) == ("dev", tip["height"])
    assert (info["bits"], info["target"], info["difficulty"]) == (tip["bits"], tip["target"], tip["difficulty"])
    assert info["next"] == {
        "height": tip["height"] + 1,
        "bits": tip["bits"],
        "target": tip["target"],
        "difficulty": tip["difficulty"],
    }
    assert 0 < info["networkhashps"] <= 2 * tip["height"] / 100
    assert (info["threads"], info["hashespersec"]) == (1, 0)


def test_blocks_on_demand_build_on_each_other(node: ApiNode) -> None:
    height = node.call("getblockcount")
    hashes = node.call("generatetoaddress", nblocks=3, address=MINER)
    assert [node.call("getblockhash", height + 1 + i) for i in range(3)] == hashes
    assert node.call("generatetoaddress", 0, MINER) == []


def test_tries_run_out(node: ApiNode) -> None:
    """Each try finds a block with one chance in two: of 30 calls with one try, neither all nor none do."""
    found = [len(node.call("generatetoaddress", 1, MINER, 1)) for _ in range(30)]
    assert 0 < sum(found) < 30


def test_a_block_of_chosen_transactions(node: ApiNode) -> None:
    kept = node.call("sendrawtransaction", node.transfer(dev_key(2), dev_key(3), 1, 9))
    chosen = node.call("sendrawtransaction", node.transfer(dev_key(4), dev_key(3), 1, 1))
    given = node.transfer(dev_key(5), dev_key(3), 1, 2)
    height = node.call("getblockcount")
    shown = node.call("generateblock", MINER, [given], False)
    assert len(decode_block(bytes.fromhex(shown["hex"])).transactions) == 2
    assert node.call("getblockcount") == height, "it was not submitted"
    made = node.call("generateblock", MINER, [chosen, given])
    block = node.call("getblock", made["hash"], 2)
    assert [tx["txid"] for tx in block["tx"]][1] == chosen
    assert (block["tx"][2]["hex"], block["tx"][0]["amount"]) == (given, SPEC.initial_subsidy + 3)
    assert node.call("getrawmempool") == [kept]
    node.generate(1)


def test_a_block_of_transactions_that_do_not_fit_is_refused(node: ApiNode) -> None:
    late = node.transfer(dev_key(6), dev_key(3), 1, sequence=5)
    with pytest.raises(ApiError, match="-25: the block is not valid: bad-tx-sequence"):
        node.call("generateblock", MINER, [late])
    with pytest.raises(ApiError, match=r"-5: Transaction 0+1 not in mempool"):
        node.call("generateblock", MINER, ["00" * 31 + "01"])
    with pytest.raises(ApiError, match="-22: TX decode failed"):
        node.call("generateblock", MINER, ["00"])


@pytest.mark.parametrize("method", ["generatetoaddress", "generateblock", "setmining", "getblocktemplate"])
@pytest.mark.parametrize(
    ("bad", "line"),
    [
        ("nowhere", "Invalid address"),
        ("rpyc1" + MINER[5:], "Invalid address: the address is mistyped"),
        ("", "Invalid address"),
    ],
)
def test_an_address_that_is_none_is_minus_5(node: ApiNode, method: str, bad: str, line: str) -> None:
    params: dict[str, list[Any]] = {
        "generatetoaddress": [1, bad],
        "generateblock": [bad, []],
        "setmining": [bad],
        "getblocktemplate": [{"address": bad}],
    }
    with pytest.raises(ApiError) as caught:
        node.call(method, *params[method])
    assert caught.value.code == -5
    assert line in caught.value.message


def test_the_end_of_the_node_ends_a_wait(tmp_path: Path) -> None:
    with ApiNode(tmp_path / "node") as node:
        other = node.another()
        ended: list[Exception] = []

        def wait() -> None:
            try:
                other.call("waitforblockheight", 1_000_000)
            except Exception as error:
                ended.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        node.call("stop")
        assert node.process.wait() == 0
        waiting.join(TIMEOUT_S)
        other.close()
        assert len(ended) == 1


def test_the_end_of_the_node_ends_a_search(tmp_path: Path) -> None:
    """A million blocks would take hours."""
    with ApiNode(tmp_path / "node") as node:
        other = node.another()
        ended: list[Exception] = []

        def generate() -> None:
            try:
                other.call("generatetoaddress", 1_000_000, MINER, 2**62)
            except Exception as error:
                ended.append(error)

        mining = threading.Thread(target=generate)
        mining.start()
        node.call("waitforblockheight", 3)
        assert node.call("stop") == "pychain stopping"
        assert node.process.wait() == 0
        mining.join(TIMEOUT_S)
        other.close()
        assert len(ended) == 1
