"""The node's events are shown without a reload."""

from __future__ import annotations

from pathlib import Path

from pychain import __version__
from pychain.wallet.keys import dev_key
from tests.api.node import ApiNode, address
from tests.explorer.browser import Browser, same_document
from tests.support.stratum import Miner


def test_a_mined_block_appears(node: ApiNode, browser: Browser) -> None:
    browser.open()
    with same_document(browser):
        (mined,) = node.generate(1)
        browser.until(lambda: browser.find(f"#latest-blocks li[data-key='{mined}']"))
        browser.until(lambda: browser.texts("#pulse-text") == [str(node.call("getblockcount"))])
        browser.until(lambda: browser.find(f".tree .node.tip[data-key='{mined}']"))


def test_a_transfer_appears_and_is_confirmed(node: ApiNode, browser: Browser) -> None:
    browser.open()
    with same_document(browser):
        txid = node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 150_000_000, 1_000))
        row = f"#latest-transfers li[data-key='{txid}']"
        browser.until(lambda: browser.texts(f"{row} .badge") == ["waiting"])
        assert browser.texts(f"{row} .amount") == ["1.5"]
        height = node.call("getblockcount") + 1
        node.generate(1)
        browser.until(lambda: browser.texts(f"{row} .badge") == [f"in {height}"])


def test_a_reorganisation_redraws_the_tree(node: ApiNode, browser: Browser) -> None:
    old = node.generate(2)
    browser.open("/forks")
    browser.until(lambda: browser.find(f".node.active.tip[data-key='{old[1]}']"))
    with same_document(browser):
        node.call("invalidateblock", old[0])
        new = node.generate(3, dev_key(8))
        node.call("reconsiderblock", old[0])
        browser.until(lambda: browser.find(f".node.active.tip[data-key='{new[2]}']"))
        for left in old:
            browser.until(lambda left=left: browser.find(f".node.valid-fork[data-key='{left}']"))
        places = {key: _place(browser, key) for key in (*old, *new)}
        assert len({places[key][1] for key in new}) == 1, "the active branch is straight"
        assert len({places[key][1] for key in old}) == 1
        assert places[old[0]][1] > places[new[0]][1], "the branch that lost lies below it"
        assert [places[key][0] for key in old] == [places[key][0] for key in new[:2]], "one height is one column"
        browser.says("2 blocks left above")
        assert browser.texts("table tbody .badge")[:2] == ["active", "valid"]


def _place(browser: Browser, block_hash: str) -> tuple[float, float]:
    script = "const {x, y} = document.querySelector(arguments[0]).getBBox(); return [x, y]"
    x, y = browser.js(script, f".node[data-key='{block_hash}'] rect")
    return x, y


def test_the_mempool_fills_and_empties(node: ApiNode, browser: Browser) -> None:
    node.generate(1)
    browser.open("/mempool")
    browser.says("The mempool is empty")
    with same_document(browser):
        fees = (1_000, 1_000, 40_000)
        sent = [
            node.call("sendrawtransaction", node.transfer(dev_key(2 + each), dev_key(1), 1, fee))
            for each, fee in enumerate(fees)
        ]
        browser.until(lambda: len(browser.find("tbody tr")) == 3)
        assert browser.js("return document.querySelector('tbody tr').dataset.key") == sent[2], "best paying first"
        assert [text.split(" ")[0] for text in browser.texts(".bands .much")] == ["1", "2"]
        node.generate(1)
        browser.says("The mempool is empty")


def test_an_account_follows_its_transfers(node: ApiNode, browser: Browser) -> None:
    browser.open(f"/account/{address(dev_key(5))}")
    browser.says("none waiting")
    with same_document(browser):
        txid = node.call("sendrawtransaction", node.transfer(dev_key(5), dev_key(6), 250_000_000))
        browser.says("1 transfer waiting")
        node.generate(1)
        browser.until(lambda: browser.texts(f"tr[data-key='{txid}'] td.amount") == ["\u22122.5"])


def test_a_peer_comes_and_goes(node: ApiNode, browser: Browser, tmp_path: Path) -> None:
    browser.open("/peers")
    browser.says("No peers")
    assert node.process.ready is not None
    with same_document(browser), ApiNode(tmp_path / "peer", connect=[node.process.ready["p2p"]]):
        browser.until(lambda: browser.texts("tbody td.agent") == [f"/pychain:{__version__}/"])
        assert browser.texts("tbody td.flag") == ["in"]
        browser.until(lambda: browser.texts("tbody td[data-label=Latency]")[0].endswith("s"))
        node.call("disconnectnode", None, node.call("getpeerinfo")[0]["id"])


def test_a_stratum_worker_is_listed(node: ApiNode, browser: Browser) -> None:
    assert node.process.ready is not None
    browser.open("/mining")
    browser.says("Nobody mines here yet")
    user = f"{address(dev_key(3))}.attic"
    with same_document(browser), Miner(node.process.ready["stratum"], user) as miner:
        miner.call("mining.subscribe", "<b>miner</b>/1.0")
        miner.call("mining.authorize", user, "x")
        browser.until(lambda: browser.texts("table[aria-label=Workers] td.agent") == ["attic"])
        assert browser.texts("table[aria-label=Connections] td.agent") == ["<b>miner</b>/1.0"]


def test_a_node_that_was_away_is_caught_up_with(chromium: Browser, tmp_path: Path) -> None:
    """The console has the connections that failed, so the fixture that looks there is not for this one."""
    with ApiNode(tmp_path / "node") as first:
        chromium.base = first.base
        chromium.open()
        with same_document(chromium):
            port = int(first.base.rpartition(":")[2])
            first.process.stop()
            chromium.until(lambda: chromium.find("#away:not([hidden])"))
            assert chromium.texts("#pulse-text") == ["away"]
            with ApiNode(tmp_path / "node", api_port=port) as second:
                (mined,) = second.generate(1)
                chromium.until(lambda: chromium.find(f"#latest-blocks li[data-key='{mined}']"))
                assert chromium.find("#away[hidden]")


SYNCING = """
const real = window.fetch;
window.fetch = async (address, ...rest) => {
  const answer = await real(address, ...rest);
  if (!address.endsWith("/status")) return answer;
  const status = await answer.json();
  status.sync = {...status.sync, behind: true, progress: 0.4321, headers: 100000, blocks: 43210, seconds_left: 200};
  return new Response(JSON.stringify(status));
};
"""
"""A node that is far behind, simulated by changing the answers of one that is not."""


def test_sync_is_shown_with_its_progress(browser: Browser) -> None:
    added = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SYNCING})
    try:
        browser.open()
        browser.says("Syncing, 43.2%")
        browser.says("43,210 of 100,000 blocks, about 3 min 20 s left")
        assert browser.js("return document.querySelector('progress').value") == 0.4321
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    browser.open()
    browser.says("Latest blocks")
    assert browser.find("progress") == []
