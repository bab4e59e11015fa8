"""Waiting on an event loop for the results of other tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TIMEOUT_S = 120.0
"""Generous: test machines are busy."""


async def turn_until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)
