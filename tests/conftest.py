"""Settings of all tests, and the fixture that runs a coroutine on each event loop that the machine has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import settings

# Machines differ in speed: how long an example takes is nothing that a test may fail for.
settings.register_profile("pychain", deadline=None, print_blob=True)
settings.load_profile("pychain")

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS["uvloop"] = uvloop.new_event_loop

TIMEOUT_S = 60.0


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Iterator[Run[Any]]:
    """Runs a coroutine on a fresh loop, which must not swallow any error in a callback."""
    strays: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: strays.append(context))

        def run_in_time(coroutine: Coroutine[Any, Any, T]) -> T:
            return runner.run(asyncio.wait_for(coroutine, TIMEOUT_S))

        yield run_in_time
    assert strays == []
