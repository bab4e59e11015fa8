"""The Stratum server as others see it: one typed snapshot, for the API, the explorer and the metrics.

What a miner calls itself and its workers is text from outside: it is printable, bounded, and not to be trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from pychain.api.backend import Stratum
from pychain.api.types import Address, Count, UnixTime
from pychain.base.time import Now
from pychain.stratum.messages import ErrorCode
from pychain.stratum.server.registry import ShareMeter, Tally, Worker

if TYPE_CHECKING:
    from pychain.stratum.server.session import Session


class RejectedShares(Struct, kw_only=True):
    """Shares that did not count, by the reason that the miner was told (codes 21, 22, 23, 24, 25 and 20)."""

    stale: Count
    duplicate: Count
    lowdifficulty: Count
    unauthorized: Count
    notsubscribed: Count
    other: Count


class Shares(Struct, kw_only=True):
    """Shares and what follows from them. `hashespersec` is estimated over some minutes; `blocks` are those that became
    the tip; `lastshare` is when the last accepted one came."""

    accepted: Count
    rejected: RejectedShares
    blocks: Count
    hashespersec: float
    lastshare: UnixTime | None


class StratumWorker(Struct, kw_only=True):
    """A worker, connected or gone: `user` as it logs in, which is `address` or `address.name`."""

    user: str
    address: Address
    connections: Count
    shares: Shares


class StratumConnection(Struct, kw_only=True):
    """A connection. `agent` is what the miner calls itself, `difficulty` that of its shares; it is `ready` once it has
    subscribed and authorized."""

    addr: str
    agent: str
    users: list[str]
    ready: bool
    difficulty: float
    conntime: UnixTime
    shares: Shares


class StratumInfo(Struct, kw_only=True):
    """The Stratum server and all who mine with it. `listening` is host:port, null where the server is off."""

    listening: str | None
    shares: Shares
    workers: list[StratumWorker]
    connections: list[StratumConnection]


def stratum_info(server: Stratum | None, now: Now) -> StratumInfo:
    """The snapshot of a server at a moment, empty where there is none. Its hash rate is the workers' together: it
    stood idle before they came."""
    if server is None:
        nothing = _shares(Tally(ShareMeter(now.mono_ns)), now)
        return StratumInfo(listening=None, shares=nothing, workers=[], connections=[])
    workers = [_worker(worker, now) for worker in server.registry.workers]
    shares = _shares(server.registry.total, now)
    shares.hashespersec = sum(worker.shares.hashespersec for worker in workers)
    return StratumInfo(
        listening=server.listening,
        shares=shares,
        workers=workers,
        connections=[_connection(session, now) for session in server.sessions],
    )


def _worker(worker: Worker, now: Now) -> StratumWorker:
    return StratumWorker(
        user=worker.user,
        address=worker.user.partition(".")[0],
        connections=worker.connections,
        shares=_shares(worker.tally, now),
    )


def _connection(session: Session, now: Now) -> StratumConnection:
    return StratumConnection(
        addr=session.peer,
        agent=session.agent,
        users=list(session.workers),
        ready=session.is_ready,
        difficulty=session.difficulty,
        conntime=session.since.wall_s,
        shares=_shares(session.tally, now),
    )


def _shares(tally: Tally, now: Now) -> Shares:
    count = tally.rejected.get
    rejected = RejectedShares(
        stale=count(ErrorCode.STALE, 0),
        duplicate=count(ErrorCode.DUPLICATE, 0),
        lowdifficulty=count(ErrorCode.LOW_DIFFICULTY, 0),
        unauthorized=count(ErrorCode.UNAUTHORIZED, 0),
        notsubscribed=count(ErrorCode.NOT_SUBSCRIBED, 0),
        other=count(ErrorCode.OTHER, 0),
    )
    return Shares(
        accepted=tally.accepted,
        rejected=rejected,
        blocks=tally.blocks,
        hashespersec=tally.meter.rate(now.mono_ns),
        lastshare=tally.last_share_s,
    )
