"""Block requests: blocks from the API and from the node's own miner, and the operator's invalidations.

They are answered once the result is durable.
"""

from __future__ import annotations

from collections.abc import Iterable

from pychain.base.errors import DecodeError
from pychain.base.time import Now
from pychain.chain.header import HEADER_BYTES, decode_header, decode_headers
from pychain.consensus.rules import Blame, Rule, RuleError
from pychain.ledger.store import Status
from pychain.ledger.tree import BlockTree
from pychain.node.activation import Activation
from pychain.node.bodies import Bodies
from pychain.node.commits import Commits
from pychain.node.effects import Reply
from pychain.node.headers import HeaderIntake
from pychain.node.outbox import Outbox
from pychain.node.outcomes import HeaderList, Outcomes
from pychain.node.requests import (
    INCONCLUSIVE,
    Answer,
    AwaitRest,
    InvalidateBlock,
    LoadBlocks,
    ReconsiderBlock,
    Refused,
    SubmitBlock,
)
from pychain.p2p.sync import SyncManager


class BlockRequests:
    """Carries out requests about blocks. Each is answered exactly once."""

    def __init__(
        self,
        tree: BlockTree,
        headers: HeaderIntake,
        bodies: Bodies,
        activation: Activation,
        commits: Commits,
        sync: SyncManager,
        outbox: Outbox,
    ) -> None:
        self._tree = tree
        self._headers = headers
        self._bodies = bodies
        self._activation = activation
        self._commits = commits
        self._sync = sync
        self._outbox = outbox
        self._submitted: dict[bytes, list[int]] = {}
        """Requests that wait for the result of a block."""
        self._settling: list[int] = []
        """Requests that wait until the chain is at rest."""
        self._resting: list[int] = []
        """Requests that also wait for the blocks under verification."""

    def waiting(self) -> Iterable[int]:
        """All pending requests."""
        return [*[each for requests in self._submitted.values() for each in requests], *self._settling, *self._resting]

    def _reply(self, request_id: int, answer: Answer) -> None:
        self._outbox.emit(Reply(request_id, answer))

    def take_block(self, raw: bytes, request_id: int | None) -> None:
        """Process a block that was mined or submitted here."""
        answer: str | None
        try:
            header = decode_header(raw[:HEADER_BYTES])
        except DecodeError:
            answer = Rule.BLOCK_ENCODING.code
        else:
            entry = self._tree.get(header.hash)
            if entry is not None and entry.invalid:
                answer = "duplicate-invalid"
            elif entry is not None and Status.CONNECTED in entry.status:
                answer = "duplicate"
            elif entry is not None and entry.has_body:
                answer = "duplicate-inconclusive"
            else:
                if request_id is not None:
                    self._submitted.setdefault(header.hash, []).append(request_id)
                self._headers.submit(HeaderList(None, (header,), raws=(raw,)))
                return
        if request_id is not None:
            self._reply(request_id, answer)

    def react(self, outcomes: Outcomes) -> None:
        """Answer requests whose block turned out to break a rule."""
        if not self._submitted:
            return
        for headers in outcomes.headers:
            if headers.error is not None and not headers.is_presync:
                self._refused(headers.headers[headers.checked].hash, headers.error)
                self._refused(headers.headers[-1].hash, headers.error)
        for verified in outcomes.bodies:
            verification, result = verified.verification, verified.result
            if verification.peer is None and isinstance(result, RuleError) and result.rule.blame is Blame.BODY:
                self._refused(verification.entry.hash, result)
        for invalid in outcomes.invalid:
            self._refused(invalid.entry.hash, invalid.error)

    def _refused(self, block_hash: bytes, error: RuleError) -> None:
        for request_id in self._submitted.pop(block_hash, []):
            self._reply(request_id, error.rule.code)

    def await_rest(self, request_id: int, request: AwaitRest, now: Now) -> None:
        self._resting.append(request_id)

    def settle(self) -> None:
        """Answer the requests that can be answered now: for durable blocks, and those that waited for the chain."""
        if not (self._submitted or self._settling or self._resting):
            return
        at_rest: bool | None = None
        for block_hash in list(self._submitted):
            entry = self._tree.get(block_hash)
            if entry is None or not self._bodies.is_settled(entry) or not entry.has_body:
                continue
            if self._commits.durable.descends_from(entry):
                answer = None
            elif entry.invalid:
                answer = Rule.PREVIOUS_INVALID.code
            else:
                at_rest = self._at_rest() if at_rest is None else at_rest
                if not at_rest:
                    continue
                answer = INCONCLUSIVE
            for request_id in self._submitted.pop(block_hash):
                self._reply(request_id, answer)
        if self._settling and self._at_rest():
            for request_id in self._settling:
                self._reply(request_id, None)
            self._settling.clear()
        if self._resting and not self._bodies.verifying and self._at_rest():
            for request_id in self._resting:
                self._reply(request_id, None)
            self._resting.clear()

    def _at_rest(self) -> bool:
        return self._activation.idle and self._commits.idle

    def submit(self, request_id: int, request: SubmitBlock, now: Now) -> None:
        self.take_block(request.raw, request_id)

    def load(self, request_id: int, request: LoadBlocks, now: Now) -> None:
        try:
            headers = decode_headers([raw[:HEADER_BYTES] for raw in request.raws])
        except DecodeError as error:
            self._reply(request_id, Refused(Rule.BLOCK_ENCODING.code, str(error)))
            return
        last = self._tree.get(headers[-1].hash)
        if last is not None and self._commits.durable.descends_from(last):
            self._reply(request_id, None)
            return
        self._submitted.setdefault(headers[-1].hash, []).append(request_id)
        self._headers.submit(HeaderList(None, headers, raws=request.raws))

    def invalidate(self, request_id: int, request: InvalidateBlock, now: Now) -> None:
        entry = self._tree.get(request.block_hash)
        if entry is None or entry is self._tree.genesis:
            text = "no such block" if entry is None else "genesis cannot be invalidated"
            self._reply(request_id, Refused("not-found" if entry is None else "genesis", text))
            return
        self._tree.invalidate(entry)
        self._activation.abandon()
        self._sync.replan()
        self._settling.append(request_id)

    def reconsider(self, request_id: int, request: ReconsiderBlock, now: Now) -> None:
        entry = self._tree.get(request.block_hash)
        if entry is None:
            self._reply(request_id, Refused("not-found", "no such block"))
            return
        self._tree.reconsider(entry)
        self._activation.abandon()
        self._sync.replan()
        self._settling.append(request_id)
