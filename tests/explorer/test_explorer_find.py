"""Search results, and paging of long lists."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.api.node import SPEC, ApiNode, address
from tests.explorer.browser import Browser

PAGE = 50
"""Transactions that a block's page shows at a time."""


def look_for(browser: Browser, text: str) -> None:
    field = browser.one("#search input")
    field.clear()
    field.send_keys(text, Keys.ENTER)


def test_search_finds_each_kind(node: ApiNode, browser: Browser) -> None:
    txid = node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 5))
    mined = node.generate(2)
    browser.visit()
    look_for(browser, str(node.call("getblockcount")))
    browser.until(lambda: browser.texts("h1") == [f"Block {node.call('getblockcount'):,}"])
    look_for(browser, f"  {mined[0].upper()} ")
    browser.until(lambda: mined[0] in browser.texts(".facts dd .long"))
    look_for(browser, txid)
    browser.until(lambda: browser.texts("h1") == ["Transfer"])
    look_for(browser, address(dev_key(1)))
    browser.until(lambda: browser.texts("h1") == ["Account"])


def test_search_says_that_nothing_was_found(browser: Browser) -> None:
    browser.visit("/")
    for text in ("999999", "ab" * 32, "tpyc1qqqqqq", "<img src=x onerror=alert(1)>", "?&#/ö"):
        look_for(browser, text)
        browser.until(lambda text=text: browser.texts(".memo") == [text])
        assert browser.texts("h1") == ["Nothing found"]


def test_search_takes_a_height_as_it_is_shown(node: ApiNode, browser: Browser) -> None:
    node.generate(12)
    browser.visit("/")
    look_for(browser, "0,012")
    browser.until(lambda: browser.texts("h1") == ["Block 12"])


def test_block_of_a_losing_branch_says_so(node: ApiNode, browser: Browser) -> None:
    (lost,) = node.generate(1)
    node.call("invalidateblock", lost)
    node.generate(2, dev_key(8))
    browser.visit(f"/block/{lost}")
    browser.says("not in the active chain")


def test_account_history_in_pages(node: ApiNode, browser: Browser) -> None:
    mine, start = dev_key(7), node.call("getblockcount")
    node.call("sendrawtransaction", node.transfer(mine, dev_key(1), 300_000_000, 5))
    node.generate(30, mine)
    browser.visit(f"/account/{address(mine)}")
    browser.until(lambda: len(browser.find("tbody tr")) == 25)
    newest = browser.texts("td[data-label=Block]")
    assert newest == [f"{start + height:,}" for height in range(30, 5, -1)]
    assert set(browser.texts("td .badge")) == {"mined"}
    browser.one(".pager a[rel=next]").click()
    browser.until(lambda: len(browser.find("tbody tr")) == 6)
    assert sorted(browser.texts("td .badge")) == ["mined"] * 5 + ["sent"]
    assert "\u22123.00000005" in browser.texts("td.amount")
    browser.one(".pager a[rel=prev]").click()
    browser.until(lambda: browser.texts("td[data-label=Block]") == newest)


def test_blocks_in_pages(node: ApiNode, browser: Browser) -> None:
    node.generate(30)
    top = node.call("getblockcount")
    browser.visit("/blocks")
    browser.until(lambda: browser.texts("td.key") == [f"{height:,}" for height in range(top, top - 25, -1)])
    browser.one(".pager a[rel=next]").click()
    browser.until(lambda: browser.texts("td.key")[:1] == [f"{top - 25:,}"])
    browser.one(".pager a[rel=prev]").click()
    browser.until(lambda: browser.texts("td.key")[:1] == [f"{top:,}"])


@pytest.mark.parametrize("count", [120, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_large_block_in_pages(node: ApiNode, browser: Browser, count: int) -> None:
    sender, to = dev_key(4), dev_key(5).public_key
    first = node.call("getaccount", address(sender))["next_sequence"]
    transfers = [sign_transfer(sender, SPEC.genesis_hash, first + each, Payment(to, 1 + each)) for each in range(count)]
    made = node.call("generateblock", address(sender), [each.raw.hex() for each in transfers])
    browser.visit(f"/block/{made['hash']}")
    browser.says(f"1 to 50 of {count + 1:,}")
    assert len(browser.find("tbody tr")) == PAGE
    browser.one(".pager a[rel=next]").click()
    browser.says(f"51 to 100 of {count + 1:,}")
    assert browser.texts("td.amount")[0] == "0.0000005"
    browser.go(f"/block/{made['hash']}?offset={count}")
    browser.says(f"{count + 1:,} to {count + 1:,} of {count + 1:,}")
    assert not browser.find(".pager a[rel=next]")


def test_unknown_things_and_places_say_so(node: ApiNode, chromium: Browser) -> None:
    """The console has the answers that were 404, so the fixture that looks there is not for this one."""
    chromium.base = node.base
    chromium.visit(f"/tx/{'00' * 32}")
    chromium.says("Nothing here")
    chromium.go("/nowhere")
    chromium.says("There is no such page")
    chromium.go("/block/77777777")
    chromium.says("Nothing here")
