"""How long a sync will still take, by how fast it went of late."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pychain.base.time import NS
from pychain.node.events import Event, NewTip
from pychain.node.queries import SyncState

SAMPLE_NS = NS // 2
"""Between two looks."""
SAMPLES = 120
"""A minute of them: older speed says little about what is to come."""
MIN_SPAN_NS = 2 * NS
"""Less is no measure."""


class SyncForecast:
    """Looks at the progress at each new tip. Progress is a share of the work, so it is right as far as blocks of much
    work take the time that others take."""

    def __init__(self, state: Callable[[], SyncState], mono_ns: Callable[[], int]) -> None:
        self._state = state
        self._mono_ns = mono_ns
        self._samples: deque[tuple[int, float]] = deque(maxlen=SAMPLES)

    def note(self, event: Event) -> None:
        """Listens to the node's events."""
        if not isinstance(event, NewTip):
            return
        now_ns = self._mono_ns()
        if not self._samples or now_ns - self._samples[-1][0] >= SAMPLE_NS:
            self._samples.append((now_ns, self._state().progress))

    def seconds_left(self) -> int | None:
        """About how long until the tip is at the best header; 0 where it is near, None while that cannot be told."""
        state = self._state()
        if not state.behind:
            return 0
        now_ns = self._mono_ns()
        while self._samples and self._samples[0][1] > state.progress:
            self._samples.popleft()  # a longer chain has become known: what was measured was a share of less
        if not self._samples:
            return None
        since_ns, before = self._samples[0]
        gained, took_ns = state.progress - before, now_ns - since_ns
        if gained <= 0 or took_ns < MIN_SPAN_NS:
            return None
        return round((1 - state.progress) / gained * took_ns / NS)
