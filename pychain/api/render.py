"""Large results are made and encoded beside the event loop, which nothing may hold for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

import msgspec

T = TypeVar("T")


async def rendered(make: Callable[[], T]) -> T:
    """What `make` makes, as JSON text that the encoder puts in its place. `make` runs on a thread: it must read nothing
    that the node changes."""
    return cast(T, await asyncio.to_thread(lambda: msgspec.Raw(msgspec.json.encode(make()))))
