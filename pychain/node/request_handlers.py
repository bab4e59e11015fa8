"""Request handlers: dispatch requests from the API to the parts of the node that carry them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pychain.base.time import Now
from pychain.consensus.rules import RuleError
from pychain.ledger.mempool import PolicyError
from pychain.node.block_requests import BlockRequests
from pychain.node.effects import Reply
from pychain.node.mining import Mining
from pychain.node.outbox import Outbox
from pychain.node.outcomes import Outcomes, Refusal
from pychain.node.peers import Peers
from pychain.node.requests import (
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
from pychain.node.transfers import TransferIntake
from pychain.p2p.messages import GoodbyeCode
from pychain.p2p.misbehaviour import Misbehaviour, parse_network
from pychain.p2p.netaddress import AddressError
from pychain.p2p.slots import SlotManager


class RequestHandlers:
    """Carries requests out. Each is answered exactly once."""

    def __init__(
        self,
        blocks: BlockRequests,
        transfers: TransferIntake,
        mining: Mining,
        slots: SlotManager,
        misbehaviour: Misbehaviour,
        peers: Peers,
        outbox: Outbox,
    ) -> None:
        self._blocks = blocks
        self._transfers = transfers
        self._mining = mining
        self._slots = slots
        self._misbehaviour = misbehaviour
        self._peers = peers
        self._outbox = outbox
        self._handlers: dict[type[Request], Callable[[int, Any, Now], None]] = {
            SubmitBlock: blocks.submit,
            LoadBlocks: blocks.load,
            AwaitRest: blocks.await_rest,
            InvalidateBlock: blocks.invalidate,
            ReconsiderBlock: blocks.reconsider,
            SubmitTransfer: self._submit_transfer,
            TestTransfer: self._test_transfer,
            DropTransfers: self._drop_transfers,
            GetTemplate: self._get_template,
            SetMining: self._set_mining,
            AddPeer: self._add_peer,
            RemovePeer: self._remove_peer,
            TryPeer: self._try_peer,
            DisconnectPeer: self._disconnect_peer,
            Ban: self._ban,
            SetNetworking: self._set_networking,
        }

    def asked(self, request_id: int, request: Request, now: Now) -> None:
        """Handle a request."""
        self._handlers[type(request)](request_id, request, now)

    def refuse(self, request_id: int) -> None:
        """Refuse a request because the node is stopping."""
        self._reply(request_id, Refused("stopping", "the node is stopping"))

    def react(self, outcomes: Outcomes) -> None:
        """Answer requests that a turn's outcomes decide."""
        self._blocks.react(outcomes)
        for refusal in outcomes.refused:
            if refusal.request is not None:
                self._transfer_refused(refusal.request, refusal)
        for accepted in outcomes.accepted:
            if accepted.request is not None:
                self._reply(accepted.request, accepted.transfer.txid)

    def close(self) -> None:
        """Answer all that still waits; nothing more will come of it."""
        self._blocks.settle()
        for request_id in (*self._blocks.waiting(), *self._transfers.requests()):
            self.refuse(request_id)

    def _reply(self, request_id: int, answer: Answer) -> None:
        self._outbox.emit(Reply(request_id, answer))

    # --- transfers

    def _submit_transfer(self, request_id: int, request: SubmitTransfer, now: Now) -> None:
        self._transfers.offer(request.raw, None, request_id, now)

    def _transfer_refused(self, request_id: int, refusal: Refusal) -> None:
        """Answer a submitted transfer that was refused: with its txid where it is in the mempool already."""
        if refusal.transfer is not None and refusal.transfer.txid in self._transfers.mempool:
            self._reply(request_id, refusal.transfer.txid)
        else:
            self._reply(request_id, refused(refusal.error))

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
        self._slots.set_active(request.active)
        self._reply(request_id, None)

    def _add_peer(self, request_id: int, request: AddPeer, now: Now) -> None:
        if self._slots.is_manual(request.endpoint.address):
            self._reply(request_id, Refused("already-added", f"{request.endpoint.address} is already kept connected"))
            return
        try:
            self._slots.add_manual(request.endpoint, now)
        except AddressError as error:
            self._reply(request_id, Refused("too-many", str(error)))
            return
        self._reply(request_id, None)

    def _remove_peer(self, request_id: int, request: RemovePeer, now: Now) -> None:
        known = self._slots.remove_manual(request.address)
        self._reply(request_id, None if known else Refused("not-found", f"{request.address} was not added"))

    def _try_peer(self, request_id: int, request: TryPeer, now: Now) -> None:
        self._slots.dial_once(request.endpoint)
        self._reply(request_id, None if self._slots.is_active else Refused("networking-off", "networking is off"))

    def _disconnect_peer(self, request_id: int, request: DisconnectPeer, now: Now) -> None:
        if self._peers.get(request.peer) is None:
            self._reply(request_id, Refused("not-found", f"there is no peer {request.peer}"))
            return
        self._peers.hang_up(request.peer, GoodbyeCode.REQUESTED, "the operator asked for it")
        self._reply(request_id, None)

    def _ban(self, request_id: int, request: Ban, now: Now) -> None:
        try:
            network = parse_network(request.host)
            if request.duration_s == 0:
                known = self._misbehaviour.unban(network)
                self._reply(request_id, None if known else Refused("not-found", f"{network} was not banned"))
                return
            self._misbehaviour.ban(network, now.wall_s + request.duration_s, now)
        except AddressError as error:
            self._reply(request_id, Refused("bad-host", str(error)))
            return
        for peer in list(self._peers.all()):
            if self._misbehaviour.is_banned(peer.address, now):
                self._peers.hang_up(peer.peer_id, GoodbyeCode.BANNED, "this host is banned here")
        self._reply(request_id, None)


def refused(error: RuleError | PolicyError) -> Refused:
    """The answer for an error of a rule or of the mempool."""
    if isinstance(error, RuleError):
        return Refused(error.rule.code, error.detail or error.rule.meaning)
    return Refused(error.policy.value, error.detail)
