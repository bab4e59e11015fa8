"""One miner's connection without I/O: lines in, effects out. The time is an argument."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pychain.base.errors import DecodeError
from pychain.base.text import printable
from pychain.base.time import Now
from pychain.chain.address import decode_address
from pychain.chain.block import Block
from pychain.chain.spec import ChainSpec
from pychain.stratum.difficulty import accepted_target, is_difficulty
from pychain.stratum.jobs import NOTIFY, ROLLABLE_BITS, hex_word
from pychain.stratum.messages import (
    NO_ID,
    Call,
    ErrorCode,
    decode_message,
    encode_call,
    encode_refusal,
    encode_result,
)
from pychain.stratum.server.jobs import Work, Workbook
from pychain.stratum.server.limits import (
    EXTRANONCE2_BYTES,
    LOGIN_TIMEOUT_NS,
    MAX_AGENT_CHARACTERS,
    MAX_BAD_SHARES,
    MAX_FAULTS,
    MAX_NAME_CHARACTERS,
    MAX_SENT_JOBS,
    MAX_USERS_A_CONNECTION,
)
from pychain.stratum.server.registry import Registry, ShareMeter, Tally, Worker
from pychain.stratum.server.shares import RefusedError, Share, Submission, check, share_of
from pychain.stratum.server.states import TRANSITIONS, WHY_NO_SHARE, SessionEvent, SessionState
from pychain.stratum.server.vardiff import VarDiff
from pychain.wallet.errors import WalletError
from pychain.wallet.payment import check_recipient

SET_DIFFICULTY: Final = "mining.set_difficulty"
_HARMLESS: Final = frozenset({ErrorCode.STALE, ErrorCode.NOT_SUBSCRIBED, ErrorCode.UNAUTHORIZED})
"""Rejections that an honest miner can get any number of times."""


@dataclass(frozen=True, slots=True)
class Say:
    """Send a line."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Solved:
    """A share that is a block: submit it at once. `answer`, a line or nothing, is sent after the block was checked: a
    miner that reads it already has the next job."""

    block: Block
    worker: Worker
    answer: bytes


@dataclass(frozen=True, slots=True)
class End:
    """Close the connection once everything is sent."""

    reason: str


Effect = Say | Solved | End


@dataclass(frozen=True, slots=True)
class _SentJob:
    """A job sent to this connection."""

    work: Work
    difficulty: float
    target: int


class Session:
    """One connection. `peer` is its address as text, `extranonce1` is unique to it."""

    def __init__(
        self, spec: ChainSpec, workbook: Workbook, registry: Registry, peer: str, extranonce1: bytes, now: Now
    ) -> None:
        self._spec = spec
        self._workbook = workbook
        self._registry = registry
        self._extranonce1 = extranonce1
        self._effects: list[Effect] = []
        self._sent: OrderedDict[str, _SentJob] = OrderedDict()
        self._told_difficulty: float | None = None
        self._on: Work | None = None
        self._solved: tuple[Block, Worker] | None = None
        self._mask = 0
        self._faults = 0
        self._bad_shares = 0
        self._ended = False
        self.state = SessionState.CONNECTED
        self.peer = peer
        self.since = now
        self.agent = ""
        self.vardiff = VarDiff(now.mono_ns)
        self.workers: dict[str, Worker] = {}
        """The connection's workers by user name; all mine to one address."""
        self.tally = Tally(ShareMeter(now.mono_ns))

    @property
    def is_ready(self) -> bool:
        """It has subscribed and authorized."""
        return self.state is SessionState.READY

    @property
    def difficulty(self) -> float:
        """The difficulty of its next job: its own, and never harder than the network's."""
        return min(self.vardiff.difficulty, self._workbook.network_difficulty or self.vardiff.difficulty)

    def receive(self, line: bytes, now: Now) -> list[Effect]:
        """Handle a line."""
        if not self._ended:
            try:
                message = decode_message(line)
            except DecodeError as error:
                self._fault(str(error))
            else:
                if isinstance(message, Call):  # an answer to a call that we never made is ignored
                    self._serve(message, now)
        return self._drain()

    def offer(self, now: Now) -> list[Effect]:
        """Send the current work, if there is any and the miner is ready for it."""
        if self.is_ready and not self._ended:
            self._offer()
        return self._drain()

    def tick(self, now: Now) -> list[Effect]:
        """Handle the passing of time."""
        if not self.is_ready:
            if now.mono_ns - self.since.mono_ns >= LOGIN_TIMEOUT_NS:
                self._end("it did not subscribe and authorize in time")
        elif self.vardiff.tick(now.mono_ns):
            self._offer()
        return self._drain()

    def close(self) -> None:
        """The connection is closed."""
        for worker in self.workers.values():
            self._registry.log_out(worker)
        self._ended = True

    def _drain(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    # --- calls

    def _serve(self, call: Call, now: Now) -> None:
        handler = _HANDLERS.get(call.method)
        try:
            if handler is None:
                raise RefusedError(ErrorCode.OTHER, f"unknown method '{call.method[:MAX_AGENT_CHARACTERS]}'")
            answer = encode_result(call.id, handler(self, call.params, now))
        except RefusedError as refused:
            answer = encode_refusal(call.id, refused.code, str(refused))
        if call.id == NO_ID:
            answer = b""
        if self._solved is not None:
            self._effects.append(Solved(*self._solved, answer))
            self._solved = None
        elif answer:
            self._say(answer)
        if handler is None:
            self._fault("it calls unknown methods")
        elif self._bad_shares >= MAX_BAD_SHARES:
            self._end(f"{MAX_BAD_SHARES} shares in a row that could not count")
        elif self.is_ready and (self._on is None or self.difficulty != self._told_difficulty):
            self._offer()

    def _configure(self, params: list[Any], now: Now) -> dict[str, Any]:
        """BIP 310: the result of each requested extension."""
        names = params[0] if params and isinstance(params[0], list) else []
        wishes = params[1] if len(params) > 1 and isinstance(params[1], dict) else {}
        granted: dict[str, Any] = {}
        for name in names:
            match name:
                case "version-rolling":
                    self._mask = _wished_mask(wishes.get("version-rolling.mask")) & ROLLABLE_BITS
                    granted[name] = self._mask != 0
                    granted["version-rolling.mask"] = f"{self._mask:08x}"
                case "minimum-difficulty":
                    least = wishes.get("minimum-difficulty.value")
                    granted[name] = is_difficulty(least)
                    if is_difficulty(least):
                        self.vardiff.demand(float(least))
                case "subscribe-extranonce":
                    granted[name] = True
                case str():
                    granted[name] = False
        return granted

    def _subscribe(self, params: list[Any], now: Now) -> list[Any]:
        self._happen(SessionEvent.SUBSCRIBED)
        if params and isinstance(params[0], str):
            self.agent = printable(params[0][:MAX_AGENT_CHARACTERS])
        session_id = self._extranonce1.hex()  # sessions are not resumed, but miners expect an id
        return [[[SET_DIFFICULTY, session_id], [NOTIFY, session_id]], self._extranonce1.hex(), EXTRANONCE2_BYTES]

    def _subscribe_extranonce(self, params: list[Any], now: Now) -> bool:
        """A connection's extra nonce never changes, so there is nothing to announce."""
        return True

    def _suggest_difficulty(self, params: list[Any], now: Now) -> bool:
        if not params or not is_difficulty(params[0]):
            raise RefusedError(ErrorCode.OTHER, "a difficulty is a number from 2^-32 to 2^64")
        self.vardiff.suggest(float(params[0]), now.mono_ns)
        return True

    def _authorize(self, params: list[Any], now: Now) -> bool:
        user = params[0] if params else None
        if not isinstance(user, str) or len(user) > MAX_NAME_CHARACTERS or not user.isprintable():
            raise RefusedError(ErrorCode.UNAUTHORIZED, "the user is ADDRESS or ADDRESS.WORKER")
        recipient = self._recipient(user.partition(".")[0])
        paid = next((worker.recipient for worker in self.workers.values()), recipient)
        if paid != recipient:
            raise RefusedError(ErrorCode.UNAUTHORIZED, "this connection mines to another address: open one for each")
        if user not in self.workers:
            if len(self.workers) >= MAX_USERS_A_CONNECTION:
                raise RefusedError(ErrorCode.UNAUTHORIZED, f"a connection has at most {MAX_USERS_A_CONNECTION} workers")
            self.workers[user] = self._registry.log_in(user, recipient, now.mono_ns)
        if len(params) > 1 and (fixed := _difficulty_in(params[1])) is not None:
            self.vardiff.fix(fixed)
        self._happen(SessionEvent.AUTHORIZED)
        return True

    def _recipient(self, address: str) -> bytes:
        try:
            recipient = decode_address(self._spec.hrp, address)
            check_recipient(recipient)
        except (DecodeError, WalletError) as error:
            raise RefusedError(ErrorCode.UNAUTHORIZED, f"the user is ADDRESS or ADDRESS.WORKER: {error}") from None
        return recipient

    def _submit(self, params: list[Any], now: Now) -> bool:
        worker: Worker | None = None
        try:
            if (early := WHY_NO_SHARE[self.state]) is not None:
                raise RefusedError(early, early.name.lower().replace("_", " "))
            submission = Submission.from_params(params)
            worker = self.workers.get(submission.user)
            if worker is None:
                raise RefusedError(ErrorCode.UNAUTHORIZED, "this worker is not authorized on this connection")
            sent = self._sent.get(submission.job_id)
            if sent is None:
                raise RefusedError(ErrorCode.STALE, "stale share: the job is unknown or expired")
            max_time = now.wall_s + self._spec.max_future_s
            share = share_of(sent.work, self._extranonce1, submission, self._mask, max_time)
            check(share, sent.target, self._workbook.is_on(sent.work.template.prev_hash))
        except RefusedError as refused:
            self._rejected(refused.code, worker)
            raise
        self._accepted(share, sent.difficulty, worker, now)
        return True

    # --- shares

    def _accepted(self, share: Share, difficulty: float, worker: Worker, now: Now) -> None:
        self._bad_shares = 0
        for tally in (self.tally, worker.tally, self._registry.total):
            tally.accept(difficulty, now.mono_ns, now.wall_s)
        if share.value <= share.work.template.target:
            self._solved = share.work.block(share.extranonces, share.time, share.nonce, share.version), worker
        self.vardiff.share(difficulty, now.mono_ns)

    def _rejected(self, code: ErrorCode, worker: Worker | None) -> None:
        tallies = [self.tally, self._registry.total]
        if worker is not None:
            tallies.append(worker.tally)
        for tally in tallies:
            tally.reject(code)
        if code not in _HARMLESS:
            self._bad_shares += 1

    # --- sending

    def _offer(self) -> None:
        """Send the current work as a new job, after the difficulty if that has changed."""
        worker = next(iter(self.workers.values()))
        work = self._workbook.work_for(worker.recipient)
        if work is None:
            return
        if self.difficulty != self._told_difficulty:
            self._told_difficulty = self.difficulty
            self._say(encode_call(SET_DIFFICULTY, [_plain(self.difficulty)]))
        clean = self._on is None or self._on.template.prev_hash != work.template.prev_hash
        if len(self._sent) >= MAX_SENT_JOBS:
            self._sent.popitem(last=False)
        self._on = work
        job_id = self._workbook.next_job_id()
        self._sent[job_id] = _SentJob(work, self.difficulty, accepted_target(self.difficulty))
        self._say(work.notification(job_id, clean))

    def _say(self, line: bytes) -> None:
        self._effects.append(Say(line))

    def _fault(self, text: str) -> None:
        self._faults += 1
        if self._faults >= MAX_FAULTS:
            self._end(text)

    def _end(self, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self._say(encode_call("client.show_message", [f"closing: {reason}"]))
            self._effects.append(End(reason))

    def _happen(self, event: SessionEvent) -> None:
        self.state = TRANSITIONS[self.state][event]


_HANDLERS: Final[dict[str, Callable[[Session, list[Any], Now], Any]]] = {
    "mining.configure": Session._configure,
    "mining.subscribe": Session._subscribe,
    "mining.extranonce.subscribe": Session._subscribe_extranonce,
    "mining.suggest_difficulty": Session._suggest_difficulty,
    "mining.authorize": Session._authorize,
    "mining.submit": Session._submit,
}


def _wished_mask(text: object) -> int:
    """The mask that a miner can roll; all bits if it gives none."""
    try:
        return 0xFFFF_FFFF if text is None else hex_word("the mask", text)
    except DecodeError:
        return 0


def _difficulty_in(password: object) -> float | None:
    """The number after `d=` in a password such as `x,d=0.5`, a convention of pools."""
    if not isinstance(password, str):
        return None
    for part in password.replace(";", ",").split(","):
        name, _, value = part.strip().partition("=")
        if name == "d":
            try:
                number = float(value)
            except ValueError:
                return None
            return number if is_difficulty(number) else None
    return None


def _plain(difficulty: float) -> float | int:
    """A whole number without a fraction: some firmware cannot read others."""
    return int(difficulty) if difficulty.is_integer() else difficulty
