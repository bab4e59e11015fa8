"""Waiting for a network: poll until a condition holds; the test's own timeout ends it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in itertools.count():
        if await condition():
            return
        await asyncio.sleep(0.2)
