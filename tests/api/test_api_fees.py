"""Fee suggestions of a real node: the relay fee where there is room, more where others are ahead or were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pychain.chain.address import encode_address
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.api.node import ApiError, ApiNode
from tests.support.builder import spec_of
from tests.support.network import Network

SMALL = Network(
    name="small",
    hrp="dpyc",
    max_block_bytes=2_500,
    allocations=tuple((dev_key(number).public_key, 10**12) for number in range(10)),
)
"""A block has room for about fifteen transfers."""
SPEC = spec_of(SMALL)
MINER = encode_address("dpyc", dev_key(9).public_key)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiNode]:
    folder = tmp_path_factory.mktemp("fees")
    network = folder / "small.toml"
    network.write_text(SMALL.toml() + "\n[node]\ndev = true\n")
    with ApiNode(folder / "node", network=str(network), min_relay_fee=1000) as api_node:
        yield api_node


def send(node: ApiNode, key_number: int, count: int, fee: int) -> None:
    """Transfers of 155 bytes from one account."""
    key = dev_key(key_number)
    first = node.call("getaccount", encode_address("dpyc", key.public_key))["pending_sequence"]
    for sequence in range(first, first + count):
        payment = Payment(dev_key(0).public_key, 1, fee)
        node.call("sendrawtransaction", sign_transfer(key, SPEC.genesis_hash, sequence, payment).raw.hex())


def rate(node: ApiNode, target: int) -> int:
    answer = node.call("estimatesmartfee", target)
    assert answer["blocks"] == target
    suggested: int = answer["feerate"]
    return suggested


def test_what_is_ahead_and_what_was_paid_lately_both_count(node: ApiNode) -> None:
    assert rate(node, 1) == 1000, "nobody is there"
    node.call("generatetoaddress", 2, MINER)
    for number in (1, 2, 3):
        send(node, number, 15, fee=1550 * number)  # 10,000 base units a kilobyte, times 1 to 3
    node.process.until(lambda: rate(node, 1) > 1000)  # a look at the mempool serves for two seconds
    assert [rate(node, target) for target in (1, 2, 3)] == [20_001, 10_001, 1000]
    node.call("generatetoaddress", 1, MINER)  # fourteen of the dearest fit
    node.process.until(lambda: rate(node, 2) == 1000)
    assert rate(node, 1) == 30_000, "one block was full of those"


@pytest.mark.parametrize("target", [0, -1, 1009, "3", 1.5])
def test_a_target_out_of_range_is_refused(node: ApiNode, target: object) -> None:
    with pytest.raises(ApiError) as refused:
        node.call("estimatesmartfee", target)
    assert refused.value.code in (-8, -3)
