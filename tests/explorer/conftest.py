"""A node and a browser for a module's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.node import ApiNode
from tests.explorer.browser import CHROMIUM, DRIVER, Browser


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiNode]:
    with ApiNode(tmp_path_factory.mktemp("explorer") / "node") as api_node:
        yield api_node


@pytest.fixture(scope="module")
def browser(node: ApiNode) -> Iterator[Browser]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium and chromedriver here: the explorer was not run")
    with Browser(node.base) as chromium:
        yield chromium
