"""The desk: requests from the API, and the answers that have to wait until what they ask for is durable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pychain.base.errors import DecodeError
from pychain.base.time import Now
from pychain.chain.header import HEADER_BYTES, decode_header, decode_headers
from pychain.chain.transaction import Transfer
from pychain.consensus.rules import Rule, RuleError
from pychain.ledger.mempool import PolicyError
from pychain.ledger.store import Status
from pychain.ledger.tree import BlockTree
from pychain.node.activation import Activation
from pychain.node.bodies import Bodies
from pychain.node.commits import Commits
from pychain.node.dialogue import Dialogue
from pychain.node.effects import Reply
from pychain.node.headers import HeaderIntake, HeaderList
from pychain.node.mining import Mining
from pychain.node.outbox import Outbox
from pychain.node.peers import Peers
from pychain.node.requests import (
    INCONCLUSIVE,
    AddPeer,
    Answer,
    AwaitRest,
    Ban,
    DisconnectPeer,
    DropTransfers,
    GetTemplate,
    InvalidateBlock,
    LoadBlocks,
    ReconsiderBlock,
    Refused,
    RemovePeer,
    Request,
    SetMining,
    SetNetworking,
    SubmitBlock,
    SubmitTransfer,
    TestTransfer,
    TryPeer,
)
from pychain.node.transfers import Refusal, TransferIntake
from pychain.p2p.messages import GoodbyeCode
from pychain.p2p.misbehaviour import parse_network
from pychain.p2p.netaddress import AddressError


class Desk:
    """Carries requests out. Each is answered exactly once."""

    def __init__(
        self,
        tree: BlockTree,
        headers: HeaderIntake,
        bodies: Bodies,
        activation: Activation,
        commits: Commits,
        transfers: TransferIntake,
        mining: Mining,
        dialogue: Dialogue,
        peers: Peers,
        outbox: Outbox,
    ) -> None:
        self._tree = tree
        self._headers = headers
        self._bodies = bodies
        self._activation = activation
        self._commits = commits
        self._transfers = transfers
        self._mining = mining
        self._dialogue = dialogue
        self._peers = peers
        self._outbox = outbox
        self._submitted: dict[bytes, list[int]] = {}
        """Requests that wait for what becomes of a block."""
        self._settling: list[int] = []
        """Requests that wait until the chain has come to rest."""
        self._resting: list[int] = []
        """Those that wait for blocks under verification as well."""
        self._handlers: dict[type[Request], Callable[[int, Any, Now], None]] = {
            SubmitBlock: self._submit_block,
            LoadBlocks: self._load_blocks,
            AwaitRest: lambda request_id, request, now: self._resting.append(request_id),
            SubmitTransfer: self._submit_transfer,
            TestTransfer: self._test_transfer,
            GetTemplate: self._get_template,
            SetMining: self._set_mining,
            InvalidateBlock: self._invalidate,
            ReconsiderBlock: self._reconsider,
            AddPeer: self._add_peer,
            RemovePeer: self._remove_peer,
            TryPeer: self._try_peer,
            DisconnectPeer: self._disconnect_peer,
            Ban: self._ban,
            SetNetworking: self._set_networking,
            DropTransfers: self._drop_transfers,
        }

    def asked(self, request_id: int, request: Request, now: Now) -> None:
        """Take a request in."""
        self._handlers[type(request)](request_id, request, now)

    def refuse(self, request_id: int) -> None:
        """Turn a request away: the node is on its way out."""
        self._reply(request_id, Refused("stopping", "the node is stopping"))

    def close(self) -> None:
        """Answer all that still waits; nothing more will come of it."""
        self.settle()
        waiting = [request_id for requests in self._submitted.values() for request_id in requests]
        for request_id in (*waiting, *self._settling, *self._resting, *self._transfers.requests()):
            self.refuse(request_id)

    def _reply(self, request_id: int, answer: Answer) -> None:
        self._outbox.emit(Reply(request_id, answer))

    # --- blocks

    def take_block(self, raw: bytes, request_id: int | None) -> None:
        """A block that was mined or submitted here, on its way through all the rules."""
        answer: str | None
        try:
            header = decode_header(raw[:HEADER_BYTES])
        except DecodeError:
            answer = Rule.BLOCK_ENCODING.code
        else:
            entry = self._tree.get(header.hash)
            if entry is not None and entry.doomed:
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

    def block_refused(self, block_hash: bytes, error: RuleError) -> None:
        """A block turned out to break a rule: tell who submitted it."""
        for request_id in self._submitted.pop(block_hash, []):
            self._reply(request_id, error.rule.code)

    def settle(self) -> None:
        """Answer what can be answered now: blocks that are durable, and requests that waited for the chain to rest."""
        at_rest: bool | None = None
        for block_hash in list(self._submitted):
            entry = self._tree.get(block_hash)
            if entry is None or not self._bodies.is_settled(entry) or not entry.has_body:
                continue
            if self._commits.durable.descends_from(entry):
                answer = None
            elif entry.doomed:
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

    def _submit_block(self, request_id: int, request: SubmitBlock, now: Now) -> None:
        self.take_block(request.raw, request_id)

    def _load_blocks(self, request_id: int, request: LoadBlocks, now: Now) -> None:
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

    def _invalidate(self, request_id: int, request: InvalidateBlock, now: Now) -> None:
        entry = self._tree.get(request.block_hash)
        if entry is None or entry is self._tree.genesis:
            text = "no such block" if entry is None else "genesis cannot be invalidated"
            self._reply(request_id, Refused("not-found" if entry is None else "genesis", text))
            return
        self._tree.invalidate(entry)
        self._activation.abandon()
        self._dialogue.sync.replan()
        self._settling.append(request_id)

    def _reconsider(self, request_id: int, request: ReconsiderBlock, now: Now) -> None:
        entry = self._tree.get(request.block_hash)
        if entry is None:
            self._reply(request_id, Refused("not-found", "no such block"))
            return
        self._tree.reconsider(entry)
        self._activation.abandon()
        self._dialogue.sync.replan()
        self._settling.append(request_id)

    # --- transfers

    def _submit_transfer(self, request_id: int, request: SubmitTransfer, now: Now) -> None:
        self._transfers.offer(request.raw, None, request_id, now)

    def transfer_accepted(self, request_id: int, transfer: Transfer) -> None:
        """A submitted transfer is in the mempool."""
        self._reply(request_id, transfer.txid)

    def transfer_refused(self, refusal: Refusal) -> None:
        """A submitted transfer was refused, perhaps because it is in the mempool already."""
        if refusal.request is None:
            return
        if refusal.transfer is not None and refusal.transfer.txid in self._transfers.mempool:
            self._reply(refusal.request, refusal.transfer.txid)
        else:
            self._reply(refusal.request, refused(refusal.error))

    def _test_transfer(self, request_id: int, request: TestTransfer, now: Now) -> None:
        try:
            self._reply(request_id, self._transfers.test(request.raw).txid)
        except (RuleError, PolicyError) as error:
            self._reply(request_id, refused(error))

    def _drop_transfers(self, request_id: int, request: DropTransfers, now: Now) -> None:
        self._transfers.drop(request.accounts)
        self._reply(request_id, None)

    # --- mining

    def _get_template(self, request_id: int, request: GetTemplate, now: Now) -> None:
        self._mining.ask(request_id)

    def _set_mining(self, request_id: int, request: SetMining, now: Now) -> None:
        self._mining.set_recipient(request.recipient)
        self._reply(request_id, None)

    # --- peers

    def _set_networking(self, request_id: int, request: SetNetworking, now: Now) -> None:
        self._dialogue.slots.set_active(request.active)
        self._reply(request_id, None)

    def _add_peer(self, request_id: int, request: AddPeer, now: Now) -> None:
        if request.address in self._dialogue.slots.persistent:
            self._reply(request_id, Refused("already-added", f"{request.address} is already kept connected"))
            return
        try:
            self._dialogue.slots.add_persistent(request.address, now)
        except AddressError as error:
            self._reply(request_id, Refused("too-many", str(error)))
            return
        self._reply(request_id, None)

    def _remove_peer(self, request_id: int, request: RemovePeer, now: Now) -> None:
        known = self._dialogue.slots.remove_persistent(request.address)
        self._reply(request_id, None if known else Refused("not-found", f"{request.address} was not added"))

    def _try_peer(self, request_id: int, request: TryPeer, now: Now) -> None:
        slots = self._dialogue.slots
        slots.dial_once(request.address)
        self._reply(request_id, None if slots.is_active else Refused("networking-off", "networking is off"))

    def _disconnect_peer(self, request_id: int, request: DisconnectPeer, now: Now) -> None:
        if self._peers.get(request.peer) is None:
            self._reply(request_id, Refused("not-found", f"there is no peer {request.peer}"))
            return
        self._peers.hang_up(request.peer, GoodbyeCode.REQUESTED, "the operator asked for it")
        self._reply(request_id, None)

    def _ban(self, request_id: int, request: Ban, now: Now) -> None:
        misbehaviour = self._dialogue.misbehaviour
        try:
            network = parse_network(request.host)
            if request.duration_s == 0:
                known = misbehaviour.unban(network)
                self._reply(request_id, None if known else Refused("not-found", f"{network} was not banned"))
                return
            misbehaviour.ban(network, now.wall_s + request.duration_s, now)
        except AddressError as error:
            self._reply(request_id, Refused("bad-host", str(error)))
            return
        for peer in list(self._peers.all()):
            if misbehaviour.is_banned(peer.address, now):
                self._peers.hang_up(peer.peer_id, GoodbyeCode.BANNED, "this host is banned here")
        self._reply(request_id, None)


def refused(error: RuleError | PolicyError) -> Refused:
    """An error of the rules or of the mempool as an answer."""
    if isinstance(error, RuleError):
        return Refused(error.rule.code, error.detail or error.rule.meaning)
    return Refused(error.policy.value, error.detail)
