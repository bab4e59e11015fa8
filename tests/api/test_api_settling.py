"""Between the mempool and a block that is being written: a transaction is never nowhere."""

from __future__ import annotations

import threading
from pathlib import Path

from pychain.wallet.keys import dev_key
from tests.api.node import ApiNode, address

SLOW_DISK = """
import time
from pychain.store.lmdb_store import LmdbStore
commit = LmdbStore.commit
def slowly(self, batch):
    if batch.tip is not None:
        time.sleep(0.5)
    commit(self, batch)
LmdbStore.commit = slowly
"""
"""The disk takes half a second for a block."""


class SlowNode(ApiNode):
    """A node on such a disk."""

    def __init__(self, datadir: Path) -> None:
        super().__init__(datadir, prelude=SLOW_DISK)


def test_a_transfer_that_is_being_mined_is_found_all_the_time(tmp_path: Path) -> None:
    with SlowNode(tmp_path / "node") as node:
        txid = node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 1))
        another = node.another()
        miner = threading.Thread(target=another.call, args=("generatetoaddress", 1, address(dev_key(9))))
        miner.start()
        seen = [node.call("getrawtransaction", txid, True)["confirmations"]]
        while seen[-1] == 0:
            seen.append(node.call("getrawtransaction", txid, True)["confirmations"])
        miner.join()
        another.close()
    assert seen[-1] == 1
