"""The connection to a Stratum server: log in, pass its jobs to the search threads and their shares to it, and reconnect
after a pause when the connection is lost."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pychain import __version__
from pychain.base.errors import DecodeError, PychainError
from pychain.base.time import NS
from pychain.miner.job import PoolJob
from pychain.miner.threads import SearchThreads
from pychain.stratum.client import (
    MAX_LINE_BYTES,
    Assignment,
    ClientState,
    Event,
    Judged,
    LoggedIn,
    Lost,
    NewWork,
    PoolSession,
    Send,
    Share,
    Told,
)
from pychain.stratum.lines import LineFramer

AGENT = f"pychain/{__version__}"
SCHEMES = ("stratum+tcp", "tcp")
READ_BYTES = 64 * 1024
DIAL_TIMEOUT_S = 15.0
LOGIN_TIMEOUT_S = 30.0
"""Time for one answer during the login."""
SILENCE_S = 300.0
"""A server sends a job at least once a minute; one that is silent for this long is gone."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Pause between attempts; each is twice the one before, until a login works."""
MAX_UNANSWERED = 32
"""Shares that wait for the server's answer: there are more only if shares are far too easy."""
SOLVED_WAIT_S = 2.0
"""After a block the next job is due at once. If it does not come, the search continues with the old one."""

Fields = dict[str, str | int | float | bool]
Tell = Callable[[str, str, Fields], None]
"""Receives events: the kind, one line for a person, fields for a program."""


class UnreachableServerError(PychainError):
    """The first connection could not be made."""


class RefusedUserError(PychainError):
    """The server refuses this user."""


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a server, and the login. `password` is kept out of text forms."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="x", repr=False)

    @classmethod
    def parse(cls, url: str) -> Server:
        """`[stratum+tcp://][user[:password]@]host:port`. DecodeError if it is none."""
        try:
            parts = urlsplit(url if "://" in url else f"{SCHEMES[0]}://{url}")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise DecodeError(f"'{url}' is no URL of a Stratum server: {error}") from None
        if parts.scheme not in SCHEMES or not host or not port:
            raise DecodeError(f"'{url}' is no URL of a Stratum server: stratum+tcp://HOST:PORT is expected")
        return cls(host, port, unquote(parts.username or ""), unquote(parts.password or "x"))

    @property
    def host_port(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass
class Tally:
    """A miner's counts. `stale` shares were found too late to be sent; `blocks` met the chain's own target."""

    begun_ns: int = field(default_factory=time.monotonic_ns)
    connected: bool = False
    difficulty: float = 0.0
    jobs: int = 0
    accepted: int = 0
    rejected: int = 0
    stale: int = 0
    blocks: int = 0


class PoolMiner:
    """Mines for one server until it is cancelled."""

    def __init__(self, server: Server, threads: int, tell: Tell) -> None:
        self.server = server
        self.tally = Tally()
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        self._search = SearchThreads(threads, self._fail)
        self._session: PoolSession | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._room = threading.Semaphore(MAX_UNANSWERED)
        self._numbers = itertools.count()
        self._job: PoolJob | None = None
        self._roll_versions = True
        self._pause_s = FIRST_PAUSE_S

    @property
    def threads(self) -> int:
        return self._search.threads

    @property
    def hashes(self) -> int:
        """Headers tried so far."""
        return self._search.hashes

    def hash_rate(self) -> float:
        """The recent hash rate."""
        return self._search.hash_rate()

    def average_rate(self) -> float:
        """The hash rate since the beginning, pauses included."""
        return self.hashes * NS / max(time.monotonic_ns() - self.tally.begun_ns, 1)

    async def run(self, *, patient: bool) -> None:
        """Mine; never returns. UnreachableServerError if the first connection fails, unless `patient`; RefusedUserError
        if the server refuses the user; the exception of a failed search thread."""
        serving = self._loop.create_task(self._keep_up(patient))
        try:
            await asyncio.wait((serving, self._failed), return_when=asyncio.FIRST_COMPLETED)
            for each in (self._failed, serving):
                if each.done():
                    each.result()
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            self._search.close()

    async def _keep_up(self, patient: bool) -> None:
        while True:
            try:
                reason = await self._attempt()
                patient = True
            except OSError as error:
                reason = _reason(error)
                if not patient:
                    raise UnreachableServerError(f"cannot reach {self.server.host_port}: {reason}") from None
            pause_s = self._pause_s * random.uniform(0.5, 1.0)  # the miners of a farm should not all reconnect at once
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            text = f"not connected to {self.server.host_port} ({reason}), again in {pause_s:.1f} s"
            self._tell("disconnected", text, {"reason": reason, "retry_s": round(pause_s, 1)})
            await asyncio.sleep(pause_s)

    async def _attempt(self) -> str:
        """One connection, from dialling to its end; returns why it ended. OSError if it could not be made."""
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            reader, self._writer = await asyncio.open_connection(self.server.host, self.server.port)
        session = PoolSession(self.server.user, self.server.password, AGENT, roll_versions=self._roll_versions)
        self._session = session
        self._room = threading.Semaphore(MAX_UNANSWERED)
        self._numbers = itertools.count()
        try:
            return await self._serve(session, reader)
        finally:
            self._roll_versions = session.state is not ClientState.CONFIGURING
            self._session = self._job = None
            self._search.stop()
            self.tally.connected = False
            self._writer.close()

    async def _serve(self, session: PoolSession, reader: asyncio.StreamReader) -> str:
        framer = LineFramer(MAX_LINE_BYTES)
        lost = self._carry(session.open())
        while lost is None:
            working = session.state is ClientState.WORKING
            try:
                async with asyncio.timeout(SILENCE_S if working else LOGIN_TIMEOUT_S):
                    data = await reader.read(READ_BYTES)
                lines = framer.feed(data)
            except TimeoutError:
                return "the server is silent"
            except OSError as error:
                return _reason(error)
            except DecodeError as error:
                return str(error)
            if not data:
                return "the server closed the connection"
            for line in lines:
                lost = lost or self._carry(session.receive(line))
        if lost.final:
            raise RefusedUserError(f"{self.server.host_port}: {lost.reason}")
        return lost.reason

    def _carry(self, events: list[Event]) -> Lost | None:
        """Act on the session's events; returns the one that ends it, if any."""
        assert self._writer is not None
        for event in events:
            match event:
                case Send(line):
                    self._writer.write(line)
                case NewWork(assignment):
                    self.tally.jobs += 1
                    self.tally.difficulty = assignment.difficulty
                    self._start(assignment)
                case Judged():
                    self._judged(event)
                case LoggedIn():
                    self._pause_s = FIRST_PAUSE_S
                    self.tally.connected = True
                    text = f"mining for {self.server.host_port} as {self.server.user}"
                    self._tell("connected", text, {"server": self.server.host_port, "user": self.server.user})
                case Told(text):
                    self._tell("message", f"{self.server.host_port} says: {text}", {"text": text})
                case Lost():
                    return event
        return None

    # --- work and shares

    def _start(self, assignment: Assignment) -> None:
        self._job = PoolJob(assignment, self._numbers, self._room, self._found)
        self._search.start(self._job)

    def _found(self, share: Share) -> None:
        """On a mining thread."""
        self._loop.call_soon_threadsafe(self._submit, share)

    def _submit(self, share: Share) -> None:
        job = self._job
        if self._session is None or job is None or job.assignment.job.prev_hash != share.assignment.job.prev_hash:
            self.tally.stale += 1
            self._room.release()
            return
        self._carry(self._session.submit(share))
        if share.is_block:
            self._loop.call_later(SOLVED_WAIT_S, self._resume, job)

    def _resume(self, job: PoolJob) -> None:
        """No job came after a block."""
        if self._job is job:
            self._start(job.assignment)

    def _judged(self, judged: Judged) -> None:
        self._room.release()
        tally, share = self.tally, judged.share
        fields: Fields = {
            "accepted": judged.refusal is None,
            "difficulty": share.assignment.difficulty,
            "block": share.is_block,
        }
        if judged.refusal is None:
            tally.accepted += 1
            tally.blocks += share.is_block
            self._tell("share", "block accepted" if share.is_block else "share accepted", fields)
        else:
            tally.rejected += 1
            self._tell("share", f"share rejected: {judged.refusal}", {**fields, "refusal": judged.refusal})

    def _fail(self, error: BaseException) -> None:
        """On a mining thread."""
        self._loop.call_soon_threadsafe(self._end_with, error)

    def _end_with(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)


def _reason(error: OSError) -> str:
    """An error of the network in the system's words: asyncio adds its own, and the resolver's have no number."""
    words = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return (words or "timed out").lower()
