"""Every page on every screen: nothing overflows, everything has a name, contrasts suffice."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from pychain.wallet.keys import dev_key
from tests.api.node import ApiNode, address
from tests.explorer.browser import DESKTOP, PHONE, SMALL_PHONE, Browser

LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3 (AA), for text of ordinary size."""
PAGES = {
    "overview": ("/", "Latest transfers"),
    "blocks": ("/blocks", "Blocks"),
    "block": ("/block/tip", "Merkle root"),
    "transaction": ("/tx/{txid}", "Signature"),
    "account": ("/account/{address}", "History"),
    "mempool": ("/mempool", "Highest fee rate first"),
    "peers": ("/peers", "This node"),
    "forks": ("/forks", "Reorganisations"),
    "charts": ("/charts", "Difficulty"),
    "mining": ("/mining", "Stratum"),
    "nothing": (f"/search?q={'w' * 128}", "Nothing found"),
}


@pytest.fixture(scope="module")
def routes(node: ApiNode) -> dict[str, tuple[str, str]]:
    """Pages with something on them: amounts with all their digits, a stale branch, pending transfers."""
    node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 12_345_678_901_234, 987_654))
    (lost,) = node.generate(1)
    node.call("invalidateblock", lost)
    node.generate(12, dev_key(8))
    node.call("reconsiderblock", lost)
    txid = node.call("sendrawtransaction", node.transfer(dev_key(2), dev_key(1), 12_345_678_901_234, 98_765_432))
    names = {"txid": txid, "address": address(dev_key(1))}
    return {name: (route.format(**names), text) for name, (route, text) in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_every_screen_and_names_its_parts(
    routes: dict[str, tuple[str, str]], browser: Browser, name: str
) -> None:
    route, text = routes[name]
    browser.view(SMALL_PHONE)
    browser.visit(route)
    browser.says(text)
    for screen in (SMALL_PHONE, PHONE, DESKTOP):
        browser.view(screen)
        browser.until(lambda: browser.overflow <= 0)
    assert browser.js(UNNAMED) == []
    assert browser.js("return document.querySelectorAll('h1').length") == 1


UNNAMED = """
return [...document.querySelectorAll("a, button, input, svg[role], table")]
  .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim()))
  .map((each) => each.outerHTML.slice(0, 200));
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_told_apart(routes: dict[str, tuple[str, str]], browser: Browser, scheme: str) -> None:
    browser.view(DESKTOP, scheme)
    for name in ("overview", "forks"):
        route, text = routes[name]
        browser.visit(route)
        browser.says(text)
        found = browser.js(CONTRASTS)
        assert len(found) > 20
        assert [each for each in found if each["contrast"] < LEAST_CONTRAST] == []
        ground = min(each["ground"] for each in found)
        assert ground > 0.5 if scheme == "light" else ground < 0.05


CONTRASTS = """
const parts = (colour) => {
  const context = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
};
const luminance = (colour) => {
  const [red, green, blue] = parts(colour).map((each) => {
    const share = each / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor;
    if (parts(colour)[3] === 255) return luminance(colour);
  }
  throw new Error("no ground");
};
const texts = document.evaluate("//main//text()[normalize-space()]", document, null, 6);
const found = [];
for (let index = 0; index < texts.snapshotLength; index += 1) {
  const element = texts.snapshotItem(index).parentElement;
  if (element.closest("svg") || !element.checkVisibility()) continue;
  const [text, behind] = [luminance(getComputedStyle(element).color), ground(element)];
  const contrast = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
  found.push({text: element.textContent.slice(0, 40), contrast, ground: behind});
}
return found;
"""


def test_a_chosen_theme_is_remembered(browser: Browser) -> None:
    browser.view(DESKTOP, "light")
    browser.open()
    system = ground(browser)
    browser.one("#theme").click()
    assert ground(browser) == system, "light was chosen"
    browser.one("#theme").click()
    dark = ground(browser)
    assert dark != system
    browser.open()
    assert ground(browser) == dark
    browser.one("#theme").click()
    browser.open()
    assert ground(browser) == system, "as the system again"


def ground(browser: Browser) -> str:
    colour: str = browser.js("return getComputedStyle(document.body).backgroundColor")
    return colour


def test_by_keyboard_alone(node: ApiNode, browser: Browser) -> None:
    browser.open()
    keys = ActionChains(browser.driver)
    keys.send_keys(Keys.TAB, Keys.ENTER).perform()
    assert browser.js("return document.activeElement.id") == "main", "the first key skips to the content"
    keys.send_keys("/", "0", Keys.ENTER).perform()
    browser.until(lambda: browser.texts("h1") == ["Block 0"])


def test_who_asks_for_calm_gets_it(browser: Browser) -> None:
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.open()
    assert browser.js("return getComputedStyle(document.querySelector('.search input')).transitionDuration") == "0s"


def test_copying(browser: Browser) -> None:
    browser.driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    browser.open("/block/0")
    browser.one(".facts div:first-child .copy").click()
    browser.until(lambda: browser.find(".copy.done"))
    copied = browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == browser.texts(".facts .long")[0]
