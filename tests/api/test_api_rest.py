"""The resources of /api/v1: results, paging, and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from pychain.wallet.keys import dev_key
from tests.api.node import SPEC, ApiNode, address
from tests.api.web import Reply, get


def ask(node: ApiNode, target: str, method: str = "GET", **headers: str) -> Reply:
    return get(node.base, f"/api/v1{target}", method, **headers)


def read(node: ApiNode, target: str) -> Any:
    reply = ask(node, target)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/json"
    return reply.json


def test_the_status_says_what_the_methods_say(node: ApiNode) -> None:
    node.generate(2)
    status, info = read(node, "/status"), node.call("getblockchaininfo")
    assert (status["network"], status["genesis"]) == ("dev", info["genesis"])
    assert (status["height"], status["tip"]) == (info["blocks"], info["bestblockhash"])
    assert status["sync"]["progress"] == 1.0
    assert not status["sync"]["behind"]
    assert status["mempool"] == node.call("getmempoolinfo")


def test_blocks_come_in_pages_newest_first(node: ApiNode) -> None:
    node.generate(5)
    height = node.call("getblockcount")
    page = read(node, "/blocks?limit=2")
    found = list(page["blocks"])
    while page["next"] is not None:
        page = read(node, f"/blocks?limit=3&before={page['next']}")
        found += page["blocks"]
    assert [block["height"] for block in found] == list(range(height, -1, -1))
    for block in found[:-1]:
        assert block["hash"] == node.call("getblockhash", block["height"])
        assert block["previousblockhash"] == node.call("getblockhash", block["height"] - 1)
    assert found[0]["miner"] == address(dev_key(9))
    assert found[0]["transactions"] == 1
    assert found[0]["size"] == node.call("getblock", found[0]["hash"])["size"]
    assert read(node, "/blocks?before=0")["blocks"] == []


@pytest.mark.parametrize("how", ["hash", "height", "tip"])
def test_a_block_by_whatever_names_it(node: ApiNode, how: str) -> None:
    (block_hash,) = node.generate(1)
    height = node.call("getblockcount")
    whole = node.call("getblock", block_hash, 2)
    shown = read(node, f"/block/{ {'hash': block_hash, 'height': height, 'tip': 'tip'}[how] }")
    assert shown["tx"] == whole["tx"]
    assert {name: shown[name] for name in shown if name in whole} == {
        name: whole[name] for name in shown if name in whole
    }
    assert read(node, f"/header/{height}") == node.call("getblockheader", block_hash)


def test_a_blocks_transactions_come_in_pages(node: ApiNode) -> None:
    sequence = node.call("getaccount", address(dev_key(4)))["pending_sequence"]
    for number in range(5):
        raw = node.transfer(dev_key(4), dev_key(5), 10 + number, 1000, sequence=sequence + number)
        node.call("sendrawtransaction", raw)
    (block_hash,) = node.generate(1)
    first = read(node, f"/block/{block_hash}?limit=4")
    second = read(node, f"/block/{block_hash}?limit=4&offset={first['next']}")
    assert (len(first["tx"]), len(second["tx"]), second["next"]) == (4, 2, None)
    assert first["tx"] + second["tx"] == node.call("getblock", block_hash, 2)["tx"]
    assert first["transactions"] == 6
    assert read(node, f"/block/{block_hash}?offset=99") == first | {"tx": [], "next": None}


def test_a_transaction_before_and_after_it_is_mined(node: ApiNode) -> None:
    txid = node.call("sendrawtransaction", node.transfer(dev_key(3), dev_key(4), 77, 500))
    waiting = read(node, f"/tx/{txid}")
    assert (waiting["confirmations"], waiting["amount"], waiting["fee"]) == (0, 77, 500)
    pool = read(node, "/mempool")
    assert pool["total_fee"] == sum(each["fee"] for each in pool["transactions"])
    assert txid in [each["txid"] for each in pool["transactions"]]
    (block_hash,) = node.generate(1)
    mined = read(node, f"/tx/{txid}")
    assert (mined["confirmations"], mined["blockhash"]) == (1, block_hash)
    assert read(node, "/mempool")["transactions"] == []


def test_the_mempool_shows_who_pays_best_first(node: ApiNode) -> None:
    for number, fee in ((5, 100), (6, 9_000), (7, 2_000)):
        node.call("sendrawtransaction", node.transfer(dev_key(number), dev_key(1), 1, fee))
    pool = read(node, "/mempool")
    assert [each["fee"] for each in pool["transactions"]] == [9_000, 2_000, 100]
    assert read(node, "/mempool?offset=1&limit=1")["transactions"] == pool["transactions"][1:2]
    assert sum(band["count"] for band in pool["bands"]) == pool["size"] == 3
    assert sum(band["bytes"] for band in pool["bands"]) == pool["bytes"]
    for band, pending in zip(pool["bands"], reversed(pool["transactions"]), strict=True):
        assert band["feerate"] <= pending["feerate"] < 2 * band["feerate"]
    node.generate(1)


def test_an_account(node: ApiNode) -> None:
    assert read(node, f"/account/{address(dev_key(0))}") == node.call("getaccount", address(dev_key(0)))
    assert ask(node, "/account/nobody").status == 404


def test_branches_and_the_tree_that_they_make(node: ApiNode) -> None:
    one, two = node.generate(2)
    node.call("invalidateblock", one)
    (other,) = node.generate(1)
    tips, tree = read(node, "/tips"), read(node, "/tree?depth=3")
    assert [tip["hash"] for tip in tips[:2]] == [other, two]
    blocks = {block["hash"]: block for block in tree["blocks"]}
    assert tree["tip"] == other
    assert blocks[other]["status"] == "active"
    assert blocks[two]["status"] == blocks[one]["status"] == "invalid"
    assert blocks[other]["previousblockhash"] == blocks[one]["previousblockhash"]
    assert all(block["height"] >= blocks[other]["height"] - 3 for block in tree["blocks"])
    assert ask(node, f"/block/{one}").json["confirmations"] == -1
    node.call("reconsiderblock", one)


def test_samples_cover_the_chain_evenly(node: ApiNode) -> None:
    node.generate(8)
    height = node.call("getblockcount")
    heights = [sample["height"] for sample in read(node, "/series?points=4")["samples"]]
    assert heights == sorted(set(heights))
    assert heights[-1] == height
    assert len(heights) == 3, "each covers the blocks since the previous point"
    stretch = [sample["height"] for sample in read(node, "/series?blocks=2")["samples"]]
    assert stretch == [height - 1, height]


def test_search_finds_what_people_paste(node: ApiNode) -> None:
    (block_hash,) = node.generate(1)
    height = node.call("getblockcount")
    coinbase = node.call("getblock", block_hash)["tx"][0]
    found = {"kind": "block", "hash": block_hash, "height": height}
    assert read(node, f"/search?q={height}") == found
    assert read(node, f"/search?q=%20{block_hash.upper()}%20") == found
    assert read(node, f"/search?q={coinbase}") == {"kind": "transaction", "txid": coinbase}
    assert read(node, f"/search?q={address(dev_key(1)).upper()}") == {"kind": "account", "address": address(dev_key(1))}
    for nothing in (height + 1, "9" * 100, "f" * 64, "g" * 64, "", "%3Cscript%3E", f"{SPEC.hrp}1"):
        assert read(node, f"/search?q={nothing}") == {"kind": "nothing"}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/nothing", 404),
        ("/", 404),
        ("", 404),
        ("/block/", 404),
        ("/block/0/1", 404),
        ("/block/99999999", 404),
        ("/block/" + "0" * 64, 404),
        ("/tx/" + "0" * 64, 404),
        ("/block/latest", 400),
        ("/block/0?limit=1001", 400),
        ("/block/0?limit=-1", 400),
        ("/block/0?limit=1&limit=2", 400),
        ("/blocks?before=null", 400),
        ("/blocks?limit=many", 400),
        ("/blocks?limits=1", 400),
        ("/blocks?" + "&".join(f"a{number}=1" for number in range(40)), 400),
        ("/tx/abc", 400),
        ("/search", 400),
        ("/search?q=" + "a" * 129, 400),
        ("/status?%ff=%ff", 400),
    ],
)
def test_what_is_refused(node: ApiNode, target: str, status: int) -> None:
    assert ask(node, target).status == status


def test_reads_change_nothing_and_say_so(node: ApiNode) -> None:
    head, whole = ask(node, "/tips", "HEAD"), ask(node, "/tips")
    assert (head.body, head.headers["content-length"]) == (b"", str(len(whole.body)))
    assert ask(node, "/tips", if_none_match=whole.headers["etag"]).status == 304
    refused = ask(node, "/status", "POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
    assert ask(node, "/status", "OPTIONS").status == 405, "no page of another origin may ask"
    assert "access-control-allow-origin" not in whole.headers
    assert ask(node, "/status", host="attacker.example").status == 403


def test_an_accounts_history_goes_on_from_page_to_page(node: ApiNode) -> None:
    key = dev_key(8)
    node.generate(3, key)
    node.call("sendrawtransaction", node.transfer(key, dev_key(1), 3, 900))
    node.generate(1)
    whole = node.call("getaccounthistory", address(key), 100)
    page = read(node, f"/account/{address(key)}/history?limit=3")
    found = list(page["transactions"])
    while page["next"] is not None:
        page = read(node, f"/account/{address(key)}/history?limit=3&before={page['next']}")
        found += page["transactions"]
    assert found == whole
    assert [each["direction"] for each in found] == ["out", "mined", "mined", "mined"]
    assert ask(node, f"/account/{address(key)}/history?before={'0' * 64}").status == 404
    assert ask(node, "/account/nobody/history").status == 404


def test_who_mines_with_the_node(node: ApiNode) -> None:
    assert read(node, "/mining") == node.call("getmininginfo")
    assert read(node, "/mining/stratum") == node.call("getstratuminfo")
