"""A lone real node whose effects are carried out at once: the smallest runtime, and a `ChainDriver` over it."""

from __future__ import annotations

from collections import deque

from pychain import native
from pychain.base.time import Now
from pychain.chain.block import decode_block
from pychain.chain.spec import parse_spec
from pychain.chain.transaction import signed_message
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.rules import RuleError
from pychain.consensus.semantic import verify_blocks
from pychain.ledger.memory_store import MemoryStore
from pychain.node.config import NodeConfig
from pychain.node.effects import (
    Commit,
    Effect,
    Publish,
    ReadBlocks,
    Reply,
    Stopped,
    VerifyBlocks,
    VerifyTransfers,
)
from pychain.node.events import BlockRefused, Event
from pychain.node.inputs import (
    Asked,
    BlocksRead,
    BlocksVerified,
    CommitDone,
    Input,
    Start,
    Tick,
    TransfersVerified,
)
from pychain.node.node import Node
from pychain.node.requests import Answer, InvalidateBlock, ReconsiderBlock, Request, SubmitBlock
from pychain.sim.entropy import SeededEntropy
from tests.support.driver import ACCEPTED, Verdict, pending, rejected
from tests.support.transfers import check_transfer

NS = 1_000_000_000


class LoneNode:
    """A node on a memory store. Jobs are done inline; other effects are kept in `effects`."""

    def __init__(
        self, rulebook: Rulebook, wall_s: int, store: MemoryStore | None = None, config: NodeConfig | None = None
    ):
        self.rulebook = rulebook
        self.wall_s = wall_s
        self.store = store or MemoryStore()
        self.node = Node(config or NodeConfig(rulebook), self.store, SeededEntropy(1, "lone"))
        self.events: list[Event] = []
        self.effects: list[Effect] = []
        self.answers: dict[int, Answer] = {}
        self.stopped: Stopped | None = None
        self.mono_ns = 0
        self._inbox: deque[Input] = deque()
        self._requests = 0
        self.feed(Start())

    def feed(self, incoming: Input) -> None:
        """Handle one input and everything that follows from it now."""
        self._inbox.append(incoming)
        self.run()

    def run(self) -> None:
        """Run until nothing is left to do now."""
        while True:
            if self._inbox:
                incoming = self._inbox.popleft()
            else:
                deadline = self.node.deadline()
                if deadline is None or deadline > self.mono_ns:
                    return
                incoming = Tick()
            for effect in self.node.handle(incoming, Now(self.mono_ns, self.wall_s)):
                self._carry(effect)

    def ask(self, request: Request) -> Answer:
        """The answer to a request; AssertionError if there is none."""
        self._requests += 1
        self.feed(Asked(self._requests, request))
        return self.answers.pop(self._requests)

    def move_clock(self, wall_s: int) -> None:
        """Both clocks move: the wall clock to `wall_s`, the monotonic one by at least as much."""
        self.mono_ns += max(1, wall_s - self.wall_s) * NS
        self.wall_s = wall_s
        self.feed(Tick())

    def _carry(self, effect: Effect) -> None:
        match effect:
            case Commit():
                self.store.commit(effect.batch)
                self.store.advance()
                self._inbox.append(CommitDone(effect.job))
            case VerifyBlocks():
                results = verify_blocks(self.rulebook.spec, effect.raws)
                self._inbox.append(BlocksVerified(effect.job, tuple(results)))
            case VerifyTransfers():
                genesis = self.rulebook.spec.genesis_hash
                valid = tuple(
                    native.verify_strict(transfer.sender, signed_message(genesis, transfer), transfer.signature)
                    for transfer in effect.transfers
                )
                self._inbox.append(TransfersVerified(effect.job, valid))
            case ReadBlocks():
                raws = [self.store.body(block_hash) for block_hash in effect.hashes]
                blocks = [decode_block(raw) if raw is not None and effect.decoded else raw for raw in raws]
                self._inbox.append(BlocksRead(effect.job, tuple(blocks)))
            case Reply():
                assert effect.request_id not in self.answers, "a request was answered twice"
                self.answers[effect.request_id] = effect.answer
            case Publish():
                self.events.append(effect.event)
            case Stopped():
                self.stopped = effect
            case _:
                self.effects.append(effect)


class NodeDriver:
    """The executable chain specification's view of a `LoneNode`."""

    def __init__(self, spec_toml: str, wall_s: int) -> None:
        self._lone = LoneNode(Rulebook(parse_spec(spec_toml)), wall_s)

    def submit(self, raw: bytes) -> Verdict:
        answer = self._lone.ask(SubmitBlock(raw))
        if answer == "duplicate-invalid":
            block_hash = native.sha256d(raw[:80])
            known = [e.code for e in self._lone.events if isinstance(e, BlockRefused) and e.block_hash == block_hash]
            return rejected(known[-1] if known else "bad-prevblk")
        if answer in ("time-too-new", "prev-blk-not-found"):
            return pending(str(answer))
        if answer in (
            "duplicate",
            "duplicate-inconclusive",
        ):  # known by its hash; what these bytes are is another matter
            (result,) = verify_blocks(self._lone.rulebook.spec, [raw])
            return rejected(result.rule.code) if isinstance(result, RuleError) else ACCEPTED
        if answer in (None, "inconclusive"):
            return ACCEPTED
        assert isinstance(answer, str)
        return rejected(answer)

    def submit_transaction(self, raw: bytes) -> Verdict:
        try:
            check_transfer(self._lone.rulebook.spec, raw)
        except RuleError as error:
            return rejected(error.rule.code)
        return ACCEPTED

    def tip(self) -> bytes:
        return self._lone.node.queries.tip.hash

    def account(self, key: bytes) -> tuple[int, int]:
        account = self._lone.node.queries.account(key)
        return account.balance, account.sequence

    def accounts(self) -> dict[bytes, tuple[int, int]]:
        """All accounts that are not absent, as `account` tells each."""
        return {key: self.account(key) for key in self._lone.store._shown.accounts}

    def set_clock(self, wall_s: int) -> None:
        self._lone.move_clock(wall_s)

    def invalidate(self, block_hash: bytes) -> None:
        assert self._lone.ask(InvalidateBlock(block_hash)) is None

    def reconsider(self, block_hash: bytes) -> None:
        assert self._lone.ask(ReconsiderBlock(block_hash)) is None
