"""The API's own page in a real browser: it shows everything, finds, and asks no other host."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.api.node import ApiNode
from tests.api.web import get
from tests.explorer.browser import PHONE, Browser

VISIBLE = "return [...document.querySelectorAll('.item')].filter(each => !each.hidden).map(each => each.dataset.words)"


def show(node: ApiNode, browser: Browser) -> None:
    browser.driver.get(f"{node.base}/docs/")
    browser.until(lambda: browser.find("#rpc-list .item"))


def test_the_page_shows_every_resource_and_method(node: ApiNode, browser: Browser) -> None:
    browser.complaints()
    browser.requests()
    show(node, browser)
    paths = [f"GET {path}" for path in get(node.base, "/openapi.json").json["paths"]]
    assert sorted(browser.texts("#rest-list .item > summary > .name")) == sorted(paths)
    methods = {method["name"] for method in get(node.base, "/openrpc.json").json["methods"]}
    assert {text.split()[0] for text in browser.texts("#rpc-list .item > summary > .name")} == methods
    assert "previousblockhash" in " ".join(browser.texts("#rest-list .fields .name"))
    assert browser.complaints() == []
    assert {urlsplit(url).netloc for url in browser.requests()} <= {urlsplit(node.base).netloc}
    assert not browser.find("#fault:not([hidden])")


def test_the_page_finds_and_fits_a_phone(node: ApiNode, browser: Browser) -> None:
    browser.view(PHONE)
    show(node, browser)
    browser.one("#filter").send_keys("tip height")
    found = browser.js(VISIBLE)
    assert 0 < len(found) < 10
    assert all("tip" in words and "height" in words for words in found)
    browser.js("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert browser.js("return document.documentElement.scrollWidth <= innerWidth")
