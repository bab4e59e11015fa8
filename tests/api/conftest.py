"""One node for a module's tests; those that must not disturb each other use accounts of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.node import ApiNode


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiNode]:
    with ApiNode(tmp_path_factory.mktemp("api") / "node") as api_node:
        yield api_node
