"""Share counts per connection and per worker, in bounded tables. Pure: times are arguments."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field

from pychain.base.time import NS
from pychain.stratum.difficulty import HASHES_PER_DIFFICULTY
from pychain.stratum.messages import ErrorCode
from pychain.stratum.server.limits import MAX_WORKERS, RATE_SPAN_S


class ShareMeter:
    """The hash rate, estimated from shares whose weights decay over `RATE_SPAN_S`."""

    def __init__(self, now_ns: int) -> None:
        self._begun_ns = self._updated_ns = now_ns
        self._faded = 0.0

    def add(self, difficulty: float, now_ns: int) -> None:
        """Add a share of this difficulty."""
        self._fade(now_ns)
        self._faded += difficulty

    def rate(self, now_ns: int) -> float:
        """Hashes per second. A new meter divides by its age, since it has seen no more."""
        self._fade(now_ns)
        age = (now_ns - self._begun_ns) / NS
        seen_s = RATE_SPAN_S * -math.expm1(-age / RATE_SPAN_S)
        return self._faded * HASHES_PER_DIFFICULTY / seen_s if seen_s > 0 else 0.0

    def _fade(self, now_ns: int) -> None:
        self._faded *= math.exp((self._updated_ns - now_ns) / NS / RATE_SPAN_S)
        self._updated_ns = now_ns


@dataclass
class Tally:
    """The shares of a connection or a worker. `blocks`: those that became the tip."""

    meter: ShareMeter
    accepted: int = 0
    rejected: dict[ErrorCode, int] = field(default_factory=dict)
    blocks: int = 0
    last_share_s: int | None = None
    """Unix time of the last accepted share."""

    def accept(self, difficulty: float, mono_ns: int, wall_s: int) -> None:
        self.accepted += 1
        self.last_share_s = wall_s
        self.meter.add(difficulty, mono_ns)

    def reject(self, code: ErrorCode) -> None:
        self.rejected[code] = self.rejected.get(code, 0) + 1


@dataclass
class Worker:
    """One user name of miners: `address` or `address.worker`."""

    user: str
    recipient: bytes
    tally: Tally
    connections: int = 0


class Registry:
    """Workers by user name, connected or not, and the totals since the server's start."""

    def __init__(self, now_ns: int) -> None:
        self.total = Tally(ShareMeter(now_ns))
        self._workers: OrderedDict[str, Worker] = OrderedDict()  # the last seen at the end

    @property
    def workers(self) -> list[Worker]:
        return list(self._workers.values())

    def log_in(self, user: str, recipient: bytes, now_ns: int) -> Worker:
        """A connection authorized this user."""
        worker = self._workers.get(user)
        if worker is None:
            self._make_room()
            worker = self._workers[user] = Worker(user, recipient, Tally(ShareMeter(now_ns)))
        worker.connections += 1
        self._workers.move_to_end(user)
        return worker

    def log_out(self, worker: Worker) -> None:
        """A connection of this worker ended."""
        worker.connections -= 1
        self._workers.move_to_end(worker.user)

    def _make_room(self) -> None:
        while len(self._workers) >= MAX_WORKERS:
            gone = next((user for user, worker in self._workers.items() if not worker.connections), None)
            if gone is None:  # all are connected: the bound on connections applies
                return
            del self._workers[gone]
