"""The chain's methods on a real node, held against the chain's own code and Core's documented behaviour."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import pytest

from pychain.chain.block import decode_block
from pychain.chain.hashes import hash_hex
from pychain.chain.header import decode_header
from pychain.chain.target import work_from_bits
from pychain.consensus.semantic import verify_block
from pychain.wallet.keys import dev_key
from tests.api.node import SPEC, ApiError, ApiNode, address
from tests.daemon.process import TIMEOUT_S

ABSENT = "00" * 31 + "01"


@pytest.fixture(scope="module", autouse=True)
def _chain(node: ApiNode) -> None:
    """Twenty blocks, two transfers in the last."""
    node.generate(19)
    for fee in (5, 7):
        node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 1000, fee))
    node.generate(1)


def test_the_state_of_the_chain(node: ApiNode) -> None:
    info = node.call("getblockchaininfo")
    tip = node.call("getblockheader", info["bestblockhash"])
    assert (info["chain"], info["blocks"], info["headers"]) == ("dev", 20, 20)
    assert info["genesis"] == hash_hex(SPEC.genesis_hash)
    assert (info["verificationprogress"], info["initialblockdownload"], info["pruned"]) == (1.0, False, False)
    for name in ("bits", "target", "difficulty", "time", "mediantime", "chainwork"):
        assert info[name] == tip[name]
    assert int(info["chainwork"], 16) == 21 * work_from_bits(SPEC.genesis_bits)
    assert node.call("getblockcount") == 20
    assert node.call("getbestblockhash") == info["bestblockhash"] == node.call("getblockhash", 20)


def test_headers_come_in_bulk(node: ApiNode) -> None:
    raw = [bytes.fromhex(node.call("getblockheader", node.call("getblockhash", height), False)) for height in range(21)]
    everything = node.call("getblockheaders", 0)
    assert everything == {"start": 0, "count": 21, "headers": b"".join(raw).hex()}
    some = node.call("getblockheaders", 5, 3)
    assert some == {"start": 5, "count": 3, "headers": b"".join(raw[5:8]).hex()}
    assert node.call("getblockheaders", start=20, count=2000)["count"] == 1
    with pytest.raises(ApiError, match="Block height out of range"):
        node.call("getblockheaders", 21)
    for count in (0, 2001):
        with pytest.raises(ApiError, match="count"):
            node.call("getblockheaders", 0, count)


def test_a_header_is_what_its_bytes_say(node: ApiNode) -> None:
    block_hash = node.call("getblockhash", 7)
    header = decode_header(bytes.fromhex(node.call("getblockheader", block_hash, False)))
    shown = node.call("getblockheader", block_hash)
    assert hash_hex(header.hash) == shown["hash"] == block_hash
    assert (shown["version"], shown["versionHex"]) == (header.version, "00000001")
    assert (shown["time"], shown["nonce"], int(shown["bits"], 16)) == (header.time, header.nonce, header.bits)
    assert shown["merkleroot"] == hash_hex(header.merkle_root)
    assert shown["previousblockhash"] == hash_hex(header.prev_hash) == node.call("getblockhash", 6)
    assert shown["nextblockhash"] == node.call("getblockhash", 8)
    assert (shown["height"], shown["confirmations"]) == (7, 14)
    assert int(shown["target"], 16) == 0x7FFFFF << 232
    assert shown["difficulty"] == pytest.approx(4.656542373906925e-10)  # as Core's regtest, whose bits these are


def test_genesis_has_no_parent_and_the_tip_no_child(node: ApiNode) -> None:
    assert "previousblockhash" not in node.call("getblockheader", node.call("getblockhash", 0))
    assert "nextblockhash" not in node.call("getblockheader", node.call("getbestblockhash"))


def test_a_block_at_each_verbosity(node: ApiNode) -> None:
    block_hash = node.call("getblockhash", 20)
    raw = bytes.fromhex(node.call("getblock", block_hash, 0))
    block = verify_block(SPEC, raw)
    with_ids, whole = node.call("getblock", block_hash), node.call("getblock", block_hash, 2)
    assert (
        with_ids == node.call("getblock", block_hash, 1) == node.call("getblock", blockhash=block_hash, verbosity=True)
    )
    assert node.call("getblock", block_hash, False) == raw.hex()
    txids = [hash_hex(transaction.txid) for transaction in block.transactions]
    assert with_ids["tx"] == [tx["txid"] for tx in whole["tx"]] == txids
    assert (with_ids["nTx"], with_ids["size"]) == (3, len(raw))
    assert [tx["type"] for tx in whole["tx"]] == ["coinbase", "transfer", "transfer"]
    assert bytes.fromhex("".join(tx["hex"] for tx in whole["tx"])) == raw[81:]
    assert whole["tx"][0]["amount"] == SPEC.initial_subsidy + 12
    assert {name: whole[name] for name in with_ids if name != "tx"} == {
        name: value for name, value in with_ids.items() if name != "tx"
    }


def test_genesis_is_a_block_like_any(node: ApiNode) -> None:
    genesis = decode_block(bytes.fromhex(node.call("getblock", node.call("getblockhash", 0), 0)))
    assert genesis.raw == SPEC.genesis.raw


def test_the_network_is_told_so_that_anybody_can_check_it(node: ApiNode) -> None:
    told = node.call("getchainspec")
    assert told["canonical"].encode() == SPEC.canonical()
    assert told["spec"] == json.loads(told["canonical"])
    digest = hashlib.sha256(hashlib.sha256(told["canonical"].encode()).digest()).digest()
    genesis = bytes.fromhex(told["genesis_block"])
    assert digest in genesis
    assert hashlib.sha256(hashlib.sha256(genesis[:80]).digest()).digest()[::-1].hex() == told["genesis"]
    assert (told["name"], told["dev"], told["p2p_port"]) == ("dev", True, SPEC.p2p_port)


def test_statistics_of_a_block(node: ApiNode) -> None:
    stats = node.call("getblockstats", 20)
    assert (stats["txs"], stats["totalfee"], stats["total_out"], stats["subsidy"]) == (
        3,
        12,
        2000,
        SPEC.initial_subsidy,
    )
    assert (stats["minfee"], stats["medianfee"], stats["maxfee"], stats["avgfee"]) == (5, 6, 7, 6)
    assert (stats["mintxsize"], stats["mediantxsize"], stats["maxtxsize"], stats["total_size"]) == (155, 155, 155, 310)
    assert (stats["minfeerate"], stats["avgfeerate"], stats["maxfeerate"]) == (32, 38, 45)
    assert stats["feerate_percentiles"] == [32, 32, 32, 45, 45]
    assert stats == node.call("getblockstats", stats["blockhash"])
    assert node.call("getblockstats", 20, ["txs", "height"]) == {"txs": 3, "height": 20}
    empty = node.call("getblockstats", 3)
    assert (empty["txs"], empty["medianfee"], empty["feerate_percentiles"]) == (1, 0, [0] * 5)


@pytest.mark.parametrize("level", range(5))
@pytest.mark.parametrize("blocks", [0, 1, 6])
def test_a_sound_chain_verifies(node: ApiNode, level: int, blocks: int) -> None:
    assert node.call("verifychain", level, blocks) is True


def test_a_branch_is_left_and_taken_again(node: ApiNode) -> None:
    old_tip, fork = node.call("getbestblockhash"), node.call("getblockhash", 18)
    first_left = node.call("getblockhash", 19)
    node.call("invalidateblock", first_left)
    assert node.call("getbestblockhash") == fork
    tips = node.call("getchaintips")
    assert tips == [
        {"height": 18, "hash": fork, "branchlen": 0, "status": "active"},
        {"height": 20, "hash": old_tip, "branchlen": 2, "status": "invalid"},
    ]
    assert node.call("getblockheader", old_tip)["confirmations"] == -1
    assert "nextblockhash" not in node.call("getblockheader", first_left)
    assert node.call("getmempoolinfo")["size"] == 2, "its transfers are back"
    node.call("reconsiderblock", first_left)
    assert node.call("getbestblockhash") == old_tip
    assert node.call("getmempoolinfo")["size"] == 0


def test_waiting_for_a_height_that_is_there_takes_no_time(node: ApiNode) -> None:
    tip = {"hash": node.call("getbestblockhash"), "height": node.call("getblockcount")}
    assert node.call("waitforblockheight", tip["height"]) == tip
    assert node.call("waitfornewblock", 0, ABSENT) == tip


def test_waiting_ends_in_time(node: ApiNode) -> None:
    tip = {"hash": node.call("getbestblockhash"), "height": node.call("getblockcount")}
    assert node.call("waitfornewblock", 20) == tip
    assert node.call("waitforblockheight", tip["height"] + 1, 20) == tip


def test_waiting_ends_with_the_block_that_is_waited_for(tmp_path: Path) -> None:
    with ApiNode(tmp_path / "node") as node:
        other = node.another()
        found: list[object] = []
        waiting = threading.Thread(target=lambda: found.append(other.call("waitforblockheight", 3)))
        waiting.start()
        node.generate(2)
        assert waiting.is_alive()
        last = node.generate(1)[0]
        waiting.join(TIMEOUT_S)
        other.close()
        assert found == [{"hash": last, "height": 3}]


@pytest.mark.parametrize(
    ("method", "params", "code", "line"),
    [
        ("getblockhash", [21], -8, "Block height out of range"),
        ("getblockhash", [-1], -8, ">= 0"),
        ("getblockhash", ["0"], -3, "Expected `int`"),
        ("getblockhash", [], -32602, "parameter 'height' is missing"),
        ("getblockheader", [ABSENT], -5, "Block not found"),
        ("getblockheader", ["00"], -8, "regex"),
        ("getblockheader", ["zz" * 32], -8, "regex"),
        ("getblock", [ABSENT], -5, "Block not found"),
        ("getblock", [ABSENT, 3], -8, "<= 2"),
        ("getblockstats", [21], -8, "after current tip"),
        ("getblockstats", [ABSENT], -5, "Block not found"),
        ("getblockstats", [1, ["nothing"]], -8, "Invalid selected statistic 'nothing'"),
        ("verifychain", [5], -8, "<= 4"),
        ("verifychain", [1, -1], -8, ">= 0"),
        ("invalidateblock", [ABSENT], -5, "Block not found"),
        ("reconsiderblock", [ABSENT], -5, "Block not found"),
        ("invalidateblock", [hash_hex(SPEC.genesis_hash)], -1, "genesis cannot be invalidated"),
        ("waitfornewblock", [-1], -8, ">= 0"),
    ],
)
def test_what_cannot_be_answered_says_why(
    node: ApiNode, method: str, params: list[object], code: int, line: str
) -> None:
    with pytest.raises(ApiError) as caught:
        node.call(method, *params)
    assert caught.value.code == code
    assert line in caught.value.message


def test_an_address_of_the_miner_has_its_rewards(node: ApiNode) -> None:
    account = node.call("getaccount", address(dev_key(9)))
    allocated = dict(SPEC.allocations)[dev_key(9).public_key]
    assert account["balance"] == allocated + 19 * SPEC.initial_subsidy
    assert account["immature"] == SPEC.initial_subsidy + 12
