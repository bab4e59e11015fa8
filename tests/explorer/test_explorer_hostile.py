"""Text that strangers put into the chain is shown as text, and does nothing."""

from __future__ import annotations

import pytest
from selenium.common.exceptions import NoAlertPresentException

from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.api.node import SPEC, ApiNode, address
from tests.explorer.browser import Browser

HOSTILE = (
    "<script>window.struck = 1; alert(1)</script>",
    "<img src=x onerror='window.struck = 1'>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>click</a>",
    '"><iframe srcdoc="<script>parent.struck = 1</script>"></iframe>',
    "<style>*{display:none}</style>",
    "javascript:alert(document.domain)",
    "${alert(1)} {{constructor.constructor('alert(1)')()}}",
    "&lt;b&gt; &amp;",
)
IN_HEX = (b"\xff\xfe", b"\x00", "abc\u202edef".encode(), b"a\nb", "\u2066x".encode(), b"   ")
"""Not UTF-8, or with characters that do not show, or that turn the text around them."""
AS_TEXT = ("naïve café", "支払い", "مرحبا", "👩‍🚀 ok", "a" * 512)


PAGES_BESIDE = {"docs", "openapi.json"}


def sent(node: ApiNode, memo: bytes) -> str:
    key = dev_key(0)
    sequence = node.call("getaccount", address(key))["pending_sequence"]
    transfer = sign_transfer(key, SPEC.genesis_hash, sequence, Payment(dev_key(1).public_key, 1, 0, memo))
    txid: str = node.call("sendrawtransaction", transfer.raw.hex())
    return txid


def assert_unharmed(browser: Browser) -> None:
    with pytest.raises(NoAlertPresentException):
        _ = browser.driver.switch_to.alert
    assert browser.js("return window.struck ?? null") is None
    assert browser.find("main :is(script, img, iframe, style, object, embed, link)") == []
    hrefs = browser.js("return [...document.body.querySelectorAll('[href]')].map(each => each.getAttribute('href'))")
    assert all(href.startswith("#") or href in PAGES_BESIDE for href in hrefs)


def test_hostile_memos_are_text(node: ApiNode, browser: Browser) -> None:
    txids = {memo: sent(node, memo.encode()) for memo in HOSTILE}
    node.generate(1)
    browser.visit("/")
    for memo, txid in txids.items():
        browser.go(f"/tx/{txid}")
        browser.until(lambda memo=memo: browser.texts("dd > .memo") == [memo])
        assert_unharmed(browser)
    browser.go(f"/account/{address(dev_key(1))}")
    browser.until(lambda: sorted(browser.texts("td .clipped")) == sorted(HOSTILE))
    assert_unharmed(browser)


def test_memos_that_do_not_show_are_hex(node: ApiNode, browser: Browser) -> None:
    browser.visit("/")
    for memo in IN_HEX:
        browser.go(f"/tx/{sent(node, memo)}")
        browser.until(lambda memo=memo: any(text.startswith(memo.hex()) for text in browser.texts("dd > .memo.hex")))
    for text in AS_TEXT:
        browser.go(f"/tx/{sent(node, text.encode())}")
        browser.until(lambda text=text: browser.texts("dd > .memo:not(.hex)") == [text])
        assert browser.overflow == 0


@pytest.mark.parametrize("route", ["/search?q=", "/block/", "/account/", "/"])
def test_hostile_addresses_of_pages_are_text(node: ApiNode, chromium: Browser, route: str) -> None:
    """The console has the answers that were no 200, so the fixture that looks there is not for this one."""
    chromium.base = node.base
    chromium.visit("/")
    chromium.js("location.hash = arguments[0] + encodeURIComponent(arguments[1])", f"#{route}", HOSTILE[1])
    chromium.until(lambda: chromium.find("main .empty"))
    assert_unharmed(chromium)


def test_a_string_cannot_become_markup(node: ApiNode, chromium: Browser) -> None:
    """Not even by a mistake in the explorer: the policy asks for Trusted Types, and there are none. The console has the
    violations, so the fixture that looks there is not for this one."""
    chromium.base = node.base
    chromium.visit("/")
    for attempt in ("main.innerHTML = text", "main.insertAdjacentHTML('beforeend', text)", "document.write(text)"):
        script = f"const main = document.body, text = '1'; try {{ {attempt} }} catch (error) {{ return error.name }}"
        assert chromium.js(script) == "TypeError"
