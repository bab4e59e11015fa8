"""What happens on the node is seen without a reload."""

from __future__ import annotations

from pychain.wallet.keys import dev_key
from tests.api.node import ApiNode
from tests.explorer.browser import Browser, reloaded


def test_a_mined_block_appears(node: ApiNode, browser: Browser) -> None:
    browser.open()
    with reloaded(browser):
        (mined,) = node.generate(1)
        browser.until(lambda: browser.find(f"#latest-blocks li[data-key='{mined}']"))
        browser.until(lambda: browser.texts("#pulse-text") == ["1"])
        browser.says("Block 1 came")


def test_a_transfer_appears_and_is_confirmed(node: ApiNode, browser: Browser) -> None:
    browser.open()
    with reloaded(browser):
        txid = node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 150_000_000, 1_000))
        row = f"#latest-transfers li[data-key='{txid}']"
        browser.until(lambda: browser.texts(f"{row} .badge") == ["waiting"])
        assert browser.texts(f"{row} .amount") == ["1.5"]
        height = node.call("getblockcount") + 1
        node.generate(1)
        browser.until(lambda: browser.texts(f"{row} .badge") == [f"in {height}"])
