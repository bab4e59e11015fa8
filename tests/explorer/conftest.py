"""A node for a module's tests, and one browser for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.node import ApiNode
from tests.explorer.browser import CHROMIUM, DESKTOP, DRIVER, Browser


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiNode]:
    with ApiNode(tmp_path_factory.mktemp("explorer") / "node", stratum_port=0) as api_node:
        yield api_node


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium and chromedriver here: the explorer was not run")
    with Browser() as started:
        yield started


@pytest.fixture
def browser(chromium: Browser, node: ApiNode) -> Iterator[Browser]:
    """A desktop in light, on the module's node. Fails if the page requested another host or the console has errors."""
    chromium.base = node.base
    chromium.view(DESKTOP)
    chromium.forget()
    yield chromium
    foreign = [url for url in chromium.requests() if not url.startswith((f"{node.base}/", "data:", "about:"))]
    assert foreign == []
    assert chromium.complaints() == []
