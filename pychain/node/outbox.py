"""The outbox: effects in the order in which the parts of a node emitted them, and the ids of jobs."""

from __future__ import annotations

from pychain.node.effects import Effect, Publish
from pychain.node.events import Event


class Outbox:
    """Collects the effects of one input; `take` returns them for the runtime."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self._jobs = 0

    def emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def publish(self, event: Event) -> None:
        self._effects.append(Publish(event))

    def new_job(self) -> int:
        """A unique id for a job."""
        self._jobs += 1
        return self._jobs

    def take(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects
