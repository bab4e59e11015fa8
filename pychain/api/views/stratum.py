"""A typed snapshot of the Stratum server, for the API, the explorer and the metrics.

The names of miners and workers are untrusted text: printable and bounded.
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
    """Rejected shares, by the reason sent to the miner (codes 21, 22, 23, 24, 25 and 20)."""

    stale: Count
    duplicate: Count
    lowdifficulty: Count
    unauthorized: Count
    notsubscribed: Count
    other: Count


class Shares(Struct, kw_only=True):
    """Share counts. `hashespersec` is estimated over some minutes; `blocks` are those that became the tip;
    `lastshare` is the time of the last accepted share."""

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
    """A connection. `agent` is the miner's name for itself, `difficulty` its share difficulty; it is `ready` once it
    has subscribed and authorized."""

    addr: str
    agent: str
    users: list[str]
    ready: bool
    difficulty: float
    conntime: UnixTime
    shares: Shares


class StratumInfo(Struct, kw_only=True):
    """The Stratum server and its miners. `listening` is host:port, null if the server is off."""

    listening: str | None
    shares: Shares
    workers: list[StratumWorker]
    connections: list[StratumConnection]


def stratum_info(server: Stratum | None, now: Now) -> StratumInfo:
    """The snapshot of a server, empty if there is none. Its hash rate is the sum of its workers'."""
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
