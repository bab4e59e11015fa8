"""Transactions over the API: sent, tested, found, decoded, and refused under Core's codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pychain import native
from pychain.chain.hashes import hash_hex, parse_hash_hex
from pychain.chain.transaction import new_transfer, transfer_body
from pychain.wallet.keys import PrivateKey, dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.api.node import SPEC, ApiError, ApiNode, address

ABSENT = "00" * 31 + "01"


@pytest.fixture(scope="module", autouse=True)
def _chain(node: ApiNode) -> None:
    """Two blocks; key 0 has paid once."""
    node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 1))
    node.generate(2)


def txid_of(transfer_hex: str) -> str:
    return hash_hex(native.sha256d(bytes.fromhex(transfer_hex)))


def test_a_transfer_from_sending_to_its_block(node: ApiNode) -> None:
    payer, payee = dev_key(0), PrivateKey(bytes(32))
    before = node.call("getaccount", address(payer))
    transfer = node.transfer(payer, payee, 700, 11)
    assert node.call("testmempoolaccept", [transfer]) == [
        {"txid": txid_of(transfer), "allowed": True, "size": 155, "fee": 11}
    ]
    assert node.call("getmempoolinfo")["size"] == 0, "a test changes nothing"

    txid = node.call("sendrawtransaction", transfer)
    assert txid == txid_of(transfer) == node.call("sendrawtransaction", transfer), "sent again is no error"
    waiting = node.call("getrawtransaction", txid, True)
    assert (waiting["confirmations"], waiting["amount"], waiting["fee"]) == (0, 700, 11)
    assert "blockhash" not in waiting
    assert node.call("getrawtransaction", txid) == transfer == node.call("getrawtransaction", txid, 0)
    assert node.call("getrawmempool") == [txid]
    entry = node.call("getrawmempool", True)[txid]
    assert (entry["size"], entry["fee"], entry["feerate"]) == (155, 11, 11_000 // 155)
    info = node.call("getmempoolinfo")
    assert (info["size"], info["bytes"], info["minrelaytxfee"]) == (1, 155, 0)
    during = node.call("getaccount", address(payer))
    assert during["balance"] == before["balance"]
    assert during["available"] == before["balance"] - 711
    assert (during["next_sequence"], during["pending_sequence"], during["pending"]) == (
        before["next_sequence"],
        before["next_sequence"] + 1,
        1,
    )

    block_hash = node.generate(1)[0]
    assert node.call("getrawmempool") == []
    mined = node.call("getrawtransaction", txid, True)
    assert (mined["confirmations"], mined["blockhash"]) == (1, block_hash)
    assert node.call("getblockhash", mined["blockheight"]) == block_hash
    assert mined == node.call("getrawtransaction", txid, True, block_hash)
    after = node.call("getaccount", address(payer))
    assert (after["balance"], after["next_sequence"], after["pending"]) == (
        before["balance"] - 711,
        before["next_sequence"] + 1,
        0,
    )
    assert node.call("getaccount", address(payee))["balance"] == 700
    with pytest.raises(ApiError, match="-27: Transaction already in block chain"):
        node.call("sendrawtransaction", transfer)


def test_transfers_of_one_account_follow_each_other_without_blocks(node: ApiNode) -> None:
    txids = [node.call("sendrawtransaction", node.transfer(dev_key(1), dev_key(2), 1)) for _ in range(5)]
    assert node.call("getrawmempool") == txids
    node.generate(1)
    assert node.call("getrawmempool") == []


def test_decoding_tells_every_field(node: ApiNode) -> None:
    memo = b"payment reference"
    payment = Payment(dev_key(4).public_key, 12, 34, memo)
    transfer = sign_transfer(dev_key(3), SPEC.genesis_hash, 56, payment)
    assert node.call("decoderawtransaction", transfer.raw.hex()) == {
        "txid": hash_hex(transfer.txid),
        "type": "transfer",
        "size": 155 + len(memo),
        "sender": address(dev_key(3)),
        "sequence": 56,
        "recipient": address(dev_key(4)),
        "amount": 12,
        "fee": 34,
        "memo": memo.hex(),
        "signature": transfer.signature.hex(),
        "hex": transfer.raw.hex(),
    }
    coinbase = SPEC.genesis.transactions[0]
    shown = node.call("decoderawtransaction", coinbase.raw.hex())
    assert (shown["type"], shown["height"], shown["amount"]) == ("coinbase", 0, 0)
    assert bytes.fromhex(shown["extra"]) == native.sha256d(SPEC.canonical())


def test_a_coinbase_is_found_by_its_id(node: ApiNode) -> None:
    block_hash = node.call("getblockhash", 1)
    txid = node.call("getblock", block_hash)["tx"][0]
    found = node.call("getrawtransaction", txid, True)
    assert (found["type"], found["blockhash"], found["recipient"]) == ("coinbase", block_hash, address(dev_key(9)))


def test_a_transaction_off_the_active_chain_needs_its_block(node: ApiNode) -> None:
    block_hash = node.generate(1)[0]
    txid = node.call("getblock", block_hash)["tx"][0]
    node.call("invalidateblock", block_hash)
    with pytest.raises(ApiError, match="-5: No such mempool or blockchain transaction"):
        node.call("getrawtransaction", txid)
    assert node.call("getrawtransaction", txid, True, block_hash)["confirmations"] == -1
    node.call("reconsiderblock", block_hash)


def unsigned(node: ApiNode) -> str:
    sequence = node.call("getaccount", address(dev_key(5)))["next_sequence"]
    body = transfer_body(dev_key(5).public_key, sequence, dev_key(6).public_key, 1, 0, b"")
    return new_transfer(body, bytes(64)).raw.hex()


def on_another_chain(node: ApiNode) -> str:
    sequence = node.call("getaccount", address(dev_key(5)))["next_sequence"]
    return sign_transfer(dev_key(5), bytes(32), sequence, Payment(dev_key(6).public_key, 1)).raw.hex()


def to_a_small_order_key(node: ApiNode) -> str:
    sequence = node.call("getaccount", address(dev_key(5)))["next_sequence"]
    body = transfer_body(dev_key(5).public_key, sequence, bytes([1, *[0] * 31]), 1, 0, b"")
    message = b"pychain/transfer/v1" + SPEC.genesis_hash + body
    return new_transfer(body, dev_key(5).sign(message)).raw.hex()


REFUSED: dict[str, tuple[Callable[[ApiNode], str], int, str]] = {
    "gap": (lambda node: node.transfer(dev_key(5), dev_key(6), 1, sequence=9), -25, "bad-tx-sequence-gap"),
    "used": (lambda node: node.transfer(dev_key(0), dev_key(6), 1, sequence=0), -26, "bad-tx-sequence-used"),
    "unfunded": (lambda node: node.transfer(dev_key(5), dev_key(6), 2**60), -26, "bad-tx-balance"),
    "nobody": (lambda node: node.transfer(PrivateKey(b"n" * 32), dev_key(6), 1), -26, "bad-tx-balance"),
    "unsigned": (unsigned, -26, "bad-tx-signature"),
    "other chain": (on_another_chain, -26, "bad-tx-signature"),
    "small order": (to_a_small_order_key, -26, "unsafe-recipient"),
    "coinbase": (lambda node: SPEC.genesis.transactions[0].raw.hex(), -26, "bad-cb-multiple"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_taken_is_refused_alike_by_sending_and_testing(node: ApiNode, name: str) -> None:
    make, code, reason = REFUSED[name]
    transfer = make(node)
    with pytest.raises(ApiError) as caught:
        node.call("sendrawtransaction", transfer)
    assert caught.value.code == code
    assert caught.value.message.startswith(f"{reason}: ")
    [tested] = node.call("testmempoolaccept", [transfer])
    assert (tested["allowed"], tested["reject-reason"]) == (False, reason)
    assert node.call("getmempoolinfo")["size"] == 0


@pytest.mark.parametrize("hexdata", ["", "00", "zz", "01" * 154, "02" + "00" * 154, "0"])
@pytest.mark.parametrize("method", ["sendrawtransaction", "decoderawtransaction", "testmempoolaccept"])
def test_hex_that_is_no_transaction_is_minus_22(node: ApiNode, method: str, hexdata: str) -> None:
    params: Any = [hexdata] if method == "testmempoolaccept" else hexdata
    with pytest.raises(ApiError, match="-22: TX decode failed"):
        node.call(method, params)


@pytest.mark.parametrize(
    ("method", "params", "code", "line"),
    [
        ("getrawtransaction", [ABSENT], -5, "No such mempool or blockchain transaction"),
        ("getrawtransaction", [ABSENT, True, ABSENT], -5, "Block not found"),
        ("getrawtransaction", ["12"], -8, "regex"),
        ("getrawtransaction", [12], -3, "Expected `str`"),
        ("testmempoolaccept", [[]], -8, "length >= 1"),
        ("testmempoolaccept", [["00"] * 26], -8, "length <= 25"),
        ("testmempoolaccept", ["00"], -3, "Expected `array`"),
    ],
)
def test_what_cannot_be_answered_says_why(
    node: ApiNode, method: str, params: list[object], code: int, line: str
) -> None:
    with pytest.raises(ApiError) as caught:
        node.call(method, *params)
    assert caught.value.code == code
    assert line in caught.value.message


def test_a_transaction_is_not_found_in_another_block(node: ApiNode) -> None:
    first = node.call("getblock", node.call("getblockhash", 1))["tx"][0]
    assert parse_hash_hex(first)
    with pytest.raises(ApiError, match="-5: No such transaction found in the provided block"):
        node.call("getrawtransaction", first, True, node.call("getblockhash", 2))


def test_a_history_tells_what_an_account_sent_received_and_mined(node: ApiNode) -> None:
    payer, payee, key = PrivateKey(b"p" * 32), PrivateKey(b"q" * 32), dev_key(3)
    sent = [node.call("sendrawtransaction", node.transfer(key, payer, 1_000, 5))]
    block_hashes = node.generate(1, payee)
    sent += [
        node.call("sendrawtransaction", node.transfer(payer, to, 10 + i, i)) for i, to in enumerate([payee, payer])
    ]
    block_hashes += node.generate(1)
    blocks = [node.call("getblock", block_hash) for block_hash in block_hashes]

    def entry(txid: str, direction: str, other: PrivateKey | None, amount: int, fee: int, which: int) -> dict[str, Any]:
        return {
            "txid": txid,
            "height": blocks[which]["height"],
            "blockhash": block_hashes[which],
            "time": blocks[which]["time"],
            "direction": direction,
            "counterparty": None if other is None else address(other),
            "amount": amount,
            "fee": fee,
            "memo": "",
            "confirmations": 2 - which,
        }

    assert node.call("getaccounthistory", address(payer)) == [
        entry(sent[2], "self", None, 11, 1, 1),
        entry(sent[1], "out", payee, 10, 0, 1),
        entry(sent[0], "in", key, 1_000, 5, 0),
    ]
    reward = SPEC.initial_subsidy + 5
    whole = [entry(sent[1], "in", payer, 10, 0, 1), entry(blocks[0]["tx"][0], "mined", None, reward, 0, 0)]
    assert node.call("getaccounthistory", address(payee)) == whole
    assert node.call("getaccounthistory", address(payee), 1) == whole[:1]
    assert node.call("getaccounthistory", address=address(payee), before=whole[0]["txid"]) == whole[1:]
    assert node.call("getaccounthistory", address(payee), 5, whole[1]["txid"]) == []
    assert node.call("getaccounthistory", address(PrivateKey(b"nobody" + bytes(26)))) == []


def test_a_history_follows_a_reorganisation(node: ApiNode) -> None:
    payee = PrivateKey(b"r" * 32)
    node.generate(1)
    txid = node.call("sendrawtransaction", node.transfer(dev_key(4), payee, 7))
    (block_hash,) = node.generate(1, payee)
    assert [each["direction"] for each in node.call("getaccounthistory", address(payee))] == ["in", "mined"]
    node.call("invalidateblock", block_hash)
    assert node.call("getaccounthistory", address(payee)) == []
    with pytest.raises(ApiError, match="-5: No such transaction in the active chain"):
        node.call("getaccounthistory", address(payee), 5, txid)
    node.call("reconsiderblock", block_hash)
    assert node.call("getaccounthistory", address(payee))[0]["txid"] == txid


def test_what_an_account_sends_is_told_while_it_waits(node: ApiNode) -> None:
    payer, payee = dev_key(2), dev_key(3)
    assert node.call("getaccountpending", address(payer)) == []
    txids = [node.call("sendrawtransaction", node.transfer(payer, payee, amount, 9)) for amount in (1, 2)]
    waiting = node.call("getaccountpending", address(payer))
    assert [(each["txid"], each["amount"]) for each in waiting] == [(txids[0], 1), (txids[1], 2)]
    assert waiting[0] | {"time": 0} == {
        "txid": txids[0],
        "time": 0,
        "sequence": node.call("getaccount", address(payer))["next_sequence"],
        "recipient": address(payee),
        "amount": 1,
        "fee": 9,
        "memo": "",
    }
    node.generate(1)
    assert node.call("getaccountpending", address(payer)) == []
    with pytest.raises(ApiError, match="Invalid address"):
        node.call("getaccountpending", "nowhere")
