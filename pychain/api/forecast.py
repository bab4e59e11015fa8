"""The remaining time of a sync, estimated from its recent speed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pychain.base.time import NS
from pychain.node.events import Event, NewTip
from pychain.node.queries import SyncState

SAMPLE_NS = NS // 2
"""Between two samples."""
SAMPLES = 120
"""One minute of samples: older speed says little about the rest."""
MIN_SPAN_NS = 2 * NS
"""A shorter span is not a useful measure."""


class SyncForecast:
    """Samples the progress at each new tip. Progress is a share of the work, so the estimate assumes that blocks with
    more work take no longer than others."""

    def __init__(self, state: Callable[[], SyncState], mono_ns: Callable[[], int]) -> None:
        self._state = state
        self._mono_ns = mono_ns
        self._samples: deque[tuple[int, float]] = deque(maxlen=SAMPLES)

    def note(self, event: Event) -> None:
        """Handle an event of the node."""
        if not isinstance(event, NewTip):
            return
        now_ns = self._mono_ns()
        if not self._samples or now_ns - self._samples[-1][0] >= SAMPLE_NS:
            self._samples.append((now_ns, self._state().progress))

    def seconds_left(self) -> int | None:
        """The estimated time until the tip is at the best header; 0 if it is near, None while it is unknown."""
        state = self._state()
        if not state.behind:
            return 0
        now_ns = self._mono_ns()
        while self._samples and self._samples[0][1] > state.progress:
            self._samples.popleft()  # a longer chain became known: the samples were shares of less work
        if not self._samples:
            return None
        since_ns, before = self._samples[0]
        gained, took_ns = state.progress - before, now_ns - since_ns
        if gained <= 0 or took_ns < MIN_SPAN_NS:
            return None
        return round((1 - state.progress) / gained * took_ns / NS)
