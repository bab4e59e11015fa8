"""The miner's side of one connection without I/O: lines of the server in, lines to send and events out.

                  configure answered            subscribe answered             authorize answered
    CONFIGURING ────────────────────> SUBSCRIBING ────────────────> AUTHORIZING ────────────────> WORKING

Work may arrive from SUBSCRIBING on: some servers send it before the user is authorized.
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
"""The longest jobs have coinbases with many outputs, and are far shorter."""
MAX_EXTRANONCE_BYTES: Final = 32
MAX_TEXT_CHARACTERS: Final = 200
"""Characters kept of a server's text."""
_EASIEST: Final = 1.0
"""The difficulty until the server sets one."""


class ClientState(Enum):
    CONFIGURING = "configuring"
    SUBSCRIBING = "subscribing"
    AUTHORIZING = "authorizing"
    WORKING = "working"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job with everything that a search needs. `target` is the highest hash of a share, `block_target` that of a
    block; `version_mask` has the version bits that may be rolled."""

    job: Job
    extranonce1: bytes
    extranonce2_bytes: int
    version_mask: int
    difficulty: float
    target: int
    block_target: int


@dataclass(frozen=True, slots=True)
class Share:
    """A solution: the parameters of `mining.submit` besides user and job."""

    assignment: Assignment
    extranonce2: bytes
    time: int
    nonce: int
    version: int
    is_block: bool


# --- events


@dataclass(frozen=True, slots=True)
class Send:
    """A line to send."""

    line: bytes


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The server accepts shares of this user."""


@dataclass(frozen=True, slots=True)
class NewWork:
    """Work on this from now on."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to a share; `refusal` is None if it was accepted, else the server's text."""

    share: Share
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A line from the server for the operator of the miner."""

    text: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is unusable. `final`: do not reconnect, since the server rejects this user."""

    reason: str
    final: bool = False


Event = Send | LoggedIn | NewWork | Judged | Told | Lost


class PoolSession:
    """One connection of a user to a server. `roll_versions`: ask for version rolling (if the server disconnects, the
    next connection does not ask)."""

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
        """The difficulty of the next job."""

    def open(self) -> list[Event]:
        """The connection is open."""
        if self._roll_versions:
            wishes = {"version-rolling.mask": f"{ROLLABLE_BITS:08x}", "version-rolling.min-bit-count": 0}
            self._ask("mining.configure", [["version-rolling"], wishes], self._configured)
        else:
            self._subscribe()
        return self._drain()

    def receive(self, line: bytes) -> list[Event]:
        """Handle a line."""
        try:
            message = decode_message(line)
            if isinstance(message, Call):
                self._called(message)
            elif (ask := self._asked.pop(message.id, None)) is not None:
                ask(message)
        except DecodeError as error:
            self._events.append(Lost(f"the server does not speak Stratum as we know it: {error}"))
        return self._drain()

    def submit(self, share: Share) -> list[Event]:
        """Submit a solution."""
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

    # --- logging in

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
            self._events.append(Lost(f"the server refuses the subscription: {_refusal(answer)}"))
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

    # --- calls from the server

    def _called(self, call: Call) -> None:
        match call.method:
            case "mining.notify":
                self._notified(Job.from_params(call.params))
            case "mining.set_difficulty":
                if not call.params or not is_difficulty(call.params[0]):
                    raise DecodeError("it sets an invalid difficulty")
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
            raise DecodeError("the size of extranonce2 is missing or out of range")
        self._extranonce1 = hex_bytes("extranonce1", params[0])
        self._extranonce2_bytes = size


def _refusal(answer: Answer) -> str | None:
    """The server's reason for refusing a call; None if it succeeded."""
    error = answer.error
    if error is None and answer.result not in (False, None):
        return None
    if isinstance(error, list) and len(error) > 1:
        return _text(f"{error[1]} (code {error[0]})")
    if isinstance(error, dict):
        return _text(f"{error.get('message')} (code {error.get('code')})")
    return "no reason given" if error is None else _text(str(error))


def _text(words: object) -> str:
    return printable(str(words)[:MAX_TEXT_CHARACTERS])
