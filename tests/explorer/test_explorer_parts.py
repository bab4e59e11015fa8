"""The explorer's pure functions, run where they live."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explorer.browser import Browser

CALL = """
const [module, name, given, done] = arguments;
import(`/js/${module}`).then((found) => found[name](...given)).catch(String).then(done);
"""


def call(browser: Browser, module: str, name: str, *given: Any) -> Any:
    return browser.driver.execute_async_script(CALL, module, name, given)


FORMATTED = [
    ("number", [1_234_567], "1,234,567"),
    ("coins", [0], "0"),
    ("coins", [1], "0.00000001"),
    ("coins", [150_000_000], "1.5"),
    ("coins", [123_456_700_000_000], "1,234,567"),
    ("coins", ["20999999999999999"], "209,999,999.99999999"),
    ("quantity", [0], "0"),
    ("quantity", [999], "999"),
    ("quantity", [83_123_456], "83.1 M"),
    ("quantity", [4.66e-10], "4.66 \u00d7 10⁻¹⁰"),
    ("quantity", [0.25], "0.25"),
    ("quantity", [2.5e21], "2.5 \u00d7 10²¹"),
    ("hashRate", [84_000_000], "84 MH/s"),
    ("hashRate", [0], "0 H/s"),
    ("hashRate", [12.5], "12.5 H/s"),
    ("bytes", [999], "999 B"),
    ("bytes", [1_540_000], "1.54 MB"),
    ("seconds", [0], "0 s"),
    ("seconds", [0.0000004], "0.4 µs"),
    ("seconds", [0.0234], "23.4 ms"),
    ("seconds", [1.5], "1.5 s"),
    ("duration", [75], "1 min 15 s"),
    ("duration", [3_600], "1 h"),
    ("duration", [90_000], "1 d 1 h"),
    ("ago", [1_000, 1_000.4], "just now"),
    ("ago", [1_000, 1_012], "12 s ago"),
    ("ago", [1_000, 8_300], "2 h ago"),
    ("ago", [1_060, 1_000], "in 1 min"),
    ("percent", [1], "100%"),
    ("percent", [0.99999], "99.9%"),
    ("percent", [0.00001], "<0.1%"),
    ("percent", [0], "0.0%"),
    ("count", [1, "block"], "1 block"),
    ("count", [2_000, "block"], "2,000 blocks"),
    ("memoText", ["616263"], "abc"),
    ("memoText", ["ff"], None),
    ("memoText", [""], None),
    ("memoText", ["07"], None),
]


@pytest.fixture
def shown(browser: Browser) -> Browser:
    browser.visit("/")
    return browser


def test_formats(shown: Browser) -> None:
    wrong = [
        (name, given, found, wanted)
        for name, given, wanted in FORMATTED
        if (found := call(shown, "format.js", name, *given)) != wanted
    ]
    assert wrong == []


def tree(*blocks: tuple[str, str, int, str]) -> list[dict[str, Any]]:
    return [
        {"hash": block, "previousblockhash": parent, "height": height, "status": status}
        for block, parent, height, status in blocks
    ]


def lanes(shown: Browser, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    script = """
    const [blocks, done] = arguments;
    import("/js/tree.js").then(({lanesOf}) => {
      const {lanes, hidden} = lanesOf(blocks);
      done({...Object.fromEntries(lanes), hidden});
    });
    """
    found: dict[str, Any] = shown.driver.execute_async_script(script, blocks)
    return found


def test_branches_take_the_first_free_lane(shown: Browser) -> None:
    assert lanes(
        shown,
        tree(
            ("a1", "a0", 1, "active"),
            ("b1", "a0", 1, "valid-fork"),
            ("c1", "a0", 1, "invalid"),
            ("a2", "a1", 2, "active"),
            ("b2", "b1", 2, "valid-fork"),
            ("d2", "b1", 2, "headers-only"),
            ("a3", "a2", 3, "active"),
            ("a4", "a3", 4, "active"),
            ("e4", "a3", 4, "valid-fork"),
        ),
    ) == {"a1": 0, "a2": 0, "a3": 0, "a4": 0, "b1": 1, "b2": 1, "c1": 2, "d2": 3, "e4": 1, "hidden": 0}


def test_branches_without_a_lane_are_counted(shown: Browser) -> None:
    found = lanes(shown, tree(("a1", "a0", 1, "active"), *((f"b{each}", "a0", 1, "invalid") for each in range(9))))
    assert found["hidden"] == 3
    assert max(lane for name, lane in found.items() if name != "hidden") == 6


def test_links_lead_to_own_pages_alone(shown: Browser) -> None:
    for target in ("javascript:alert(1)", "https:" + "//example.org", "/" + "/example.org", "data:text/html,x"):
        assert "only to the explorer's own pages" in call(shown, "dom.js", "h", "a", {"href": target})
