"""Large results are made and encoded aside: nothing may hold the node's thread for long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import msgspec

from pychain.api.backend import Backend

T = TypeVar("T")


async def rendered(backend: Backend, make: Callable[[], T]) -> T:
    """What `make` makes, as JSON text that the encoder puts in its place. `make` runs aside: it must read nothing that
    the node changes."""
    return cast(T, await backend.aside(lambda: msgspec.Raw(msgspec.json.encode(make()))))
