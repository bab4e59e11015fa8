"""Large results are built and encoded on a thread: nothing may block the node's thread for long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import msgspec

from pychain.api.backend import Backend

T = TypeVar("T")


async def rendered(backend: Backend, make: Callable[[], T]) -> T:
    """The result of `make` as JSON text that the encoder embeds. `make` runs on another thread: it must not read
    anything that the node changes."""
    return cast(T, await backend.aside(lambda: msgspec.Raw(msgspec.json.encode(make()))))
