"""The miner's side of one connection without I/O: lines of the server in, lines to send and events out.

                  configure answered            subscribe answered             authorize answered
    CONFIGURING ────────────────────> SUBSCRIBING ────────────────> AUTHORIZING ────────────────> WORKING

Work may come from SUBSCRIBING on: some servers hand it out before they know who asks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from pychain.base.errors import DecodeError
from pychain.base.text import printable
from pychain.chain.target import target_from_bits
from pychain.stratum.difficulty import is_difficulty, searched_target
from pychain.stratum.jobs import NOTIFY, ROLLABLE_BITS, Job, hex_bytes, hex_word
from pychain.stratum.messages import NO_ID, Answer, Call, decode_message, encode_call, encode_result

MAX_LINE_BYTES: Final = 256 * 1024
"""The longest jobs have coinbases of many outputs, and stay far below."""
MAX_EXTRANONCE_BYTES: Final = 32
MAX_TEXT_CHARACTERS: Final = 200
"""Kept of what a server has to say."""
_EASIEST: Final = 1.0
"""The difficulty until the server tells one."""


class ClientState(Enum):
    CONFIGURING = "configuring"
    SUBSCRIBING = "subscribing"
    AUTHORIZING = "authorizing"
    WORKING = "working"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job with all that a search needs. `target` is what a hash must not pass to be a share, `block_target` to be a
    block of the chain that is mined; `version_mask` the version bits that may be rolled."""

    job: Job
    extranonce1: bytes
    extranonce2_bytes: int
    version_mask: int
    difficulty: float
    target: int
    block_target: int


@dataclass(frozen=True, slots=True)
class Share:
    """A solution: the parameters of `mining.submit` beside user and job."""

    assignment: Assignment
    extranonce2: bytes
    time: int
    nonce: int
    version: int
    is_block: bool


# --- what comes out


@dataclass(frozen=True, slots=True)
class Send:
    """A line to send."""

    line: bytes


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The server takes shares of this user."""


@dataclass(frozen=True, slots=True)
class NewWork:
    """Work on this from now on."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to a share; `refusal` is None where it was accepted, else the server's words."""

    share: Share
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A line from the server for the person who mines."""

    text: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is of no more use. `final`: no other will be, since the server does not want this user."""

    reason: str
    final: bool = False


Event = Send | LoggedIn | NewWork | Judged | Told | Lost


class PoolSession:
    """One connection of a user to a server. `roll_versions`: ask to (a server that hangs up on the question is asked
    without it on the next connection)."""

    def __init__(self, user: str, password: str, agent: str, *, roll_versions: bool = True) -> None:
        self._user = user
        self._password = password
        self._agent = agent
        self._roll_versions = roll_versions
        self._ids = itertools.count(1)
        self._asked: dict[bytes, Callable[[Answer], None]] = {}
        self._events: list[Event] = []
        self._extranonce1 = b""
        self._extranonce2_bytes = 0
        self._mask = 0
        self.state = ClientState.CONFIGURING
        self.difficulty = _EASIEST
        """Of the next job."""

    def open(self) -> list[Event]:
        """The connection stands."""
        if self._roll_versions:
            wishes = {"version-rolling.mask": f"{ROLLABLE_BITS:08x}", "version-rolling.min-bit-count": 0}
            self._ask("mining.configure", [["version-rolling"], wishes], self._configured)
        else:
            self._subscribe()
        return self._drain()

    def receive(self, line: bytes) -> list[Event]:
        """A line came."""
        try:
            message = decode_message(line)
            if isinstance(message, Call):
                self._called(message)
            elif (ask := self._asked.pop(message.id, None)) is not None:
                ask(message)
        except DecodeError as error:
            self._events.append(Lost(f"the server speaks no Stratum that we know: {error}"))
        return self._drain()

    def submit(self, share: Share) -> list[Event]:
        """Hand in a solution."""
        mask = share.assignment.version_mask
        params = [
            self._user,
            share.assignment.job.job_id,
            share.extranonce2.hex(),
            f"{share.time:08x}",
            f"{share.nonce:08x}",
            *([f"{share.version & mask:08x}"] if mask else []),
        ]
        self._ask("mining.submit", params, lambda answer: self._events.append(Judged(share, _refusal(answer))))
        return self._drain()

    def _drain(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _ask(self, method: str, params: list[Any], answered: Callable[[Answer], None]) -> None:
        call_id = next(self._ids)
        self._asked[b"%d" % call_id] = answered
        self._events.append(Send(encode_call(method, params, call_id)))

    # --- the way in

    def _configured(self, answer: Answer) -> None:
        granted = answer.result if isinstance(answer.result, dict) else {}
        if granted.get("version-rolling") is True:
            self._mask = hex_word("the version mask", granted.get("version-rolling.mask")) & ROLLABLE_BITS
        self._subscribe()

    def _subscribe(self) -> None:
        self.state = ClientState.SUBSCRIBING
        self._ask("mining.subscribe", [self._agent], self._subscribed)

    def _subscribed(self, answer: Answer) -> None:
        result = answer.result
        if not isinstance(result, list) or len(result) < 3:
            self._events.append(Lost(f"the server refuses to be subscribed to: {_refusal(answer)}"))
            return
        self._set_extranonce(result[1:3])
        self.state = ClientState.AUTHORIZING
        self._ask("mining.authorize", [self._user, self._password], self._authorized)

    def _authorized(self, answer: Answer) -> None:
        refusal = _refusal(answer)
        if refusal is not None:
            self._events.append(Lost(f"the server refuses the user: {refusal}", final=True))
            return
        self.state = ClientState.WORKING
        self._events.append(LoggedIn())

    # --- what the server calls

    def _called(self, call: Call) -> None:
        match call.method:
            case "mining.notify":
                self._notified(Job.from_params(call.params))
            case "mining.set_difficulty":
                if not call.params or not is_difficulty(call.params[0]):
                    raise DecodeError("it sets a difficulty that is none")
                self.difficulty = float(call.params[0])
            case "mining.set_extranonce":
                self._set_extranonce(call.params)
            case "mining.set_version_mask":
                self._mask = hex_word("the version mask", (call.params or [None])[0]) & ROLLABLE_BITS
            case "client.show_message":
                self._events.append(Told(_text((call.params or [""])[0])))
            case "client.reconnect":
                self._events.append(Lost("the server asks to reconnect"))
            case "client.get_version" if call.id != NO_ID:
                self._events.append(Send(encode_result(call.id, self._agent)))
            case "mining.ping" if call.id != NO_ID:
                self._events.append(Send(encode_result(call.id, "pong")))

    def _notified(self, job: Job) -> None:
        if not self._extranonce2_bytes:
            raise DecodeError(f"{NOTIFY} came before the subscription was answered")
        block_target = target_from_bits(job.bits)
        target = max(searched_target(self.difficulty), block_target)
        self._events.append(
            NewWork(
                Assignment(
                    job=job,
                    extranonce1=self._extranonce1,
                    extranonce2_bytes=self._extranonce2_bytes,
                    version_mask=self._mask,
                    difficulty=self.difficulty,
                    target=target,
                    block_target=block_target,
                )
            )
        )

    def _set_extranonce(self, params: list[Any]) -> None:
        size = params[1] if len(params) > 1 else None
        if not isinstance(size, int) or not 1 <= size <= MAX_EXTRANONCE_BYTES:
            raise DecodeError("the size of extranonce2 is missing or no sensible one")
        self._extranonce1 = hex_bytes("extranonce1", params[0])
        self._extranonce2_bytes = size


def _refusal(answer: Answer) -> str | None:
    """Why a call was refused, in the server's words; None where it was granted."""
    error = answer.error
    if error is None and answer.result not in (False, None):
        return None
    if isinstance(error, list) and len(error) > 1:
        return _text(f"{error[1]} (code {error[0]})")
    if isinstance(error, dict):
        return _text(f"{error.get('message')} (code {error.get('code')})")
    return "for no reason given" if error is None else _text(str(error))


def _text(words: object) -> str:
    return printable(str(words)[:MAX_TEXT_CHARACTERS])
