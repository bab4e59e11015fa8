"""A host driven by a participant, which intercepts between the node and the world. Other hosts have no overhead."""

from __future__ import annotations

from collections.abc import Callable

from pychain import native
from pychain.base.entropy import Random
from pychain.base.errors import DecodeError
from pychain.base.time import seconds
from pychain.chain.block import Block
from pychain.chain.transaction import Coinbase
from pychain.ledger.template import template_on
from pychain.ledger.tree import Entry
from pychain.node.config import NodeConfig
from pychain.node.effects import Publish, Send, StartMining, StopMining
from pychain.node.inputs import BlockMined, BytesDrained, BytesReceived, Input, PeerClosed, PeerOpened
from pychain.node.requests import Request
from pychain.p2p.framing import FrameReader, frame
from pychain.p2p.limits import frame_limit
from pychain.p2p.messages import Fields, decode, encode
from pychain.p2p.netaddress import NetAddress
from pychain.sim.host import Host, Surroundings
from pychain.sim.participants.participant import Delayed, Participant, Work


class _Line:
    """A connection as the participant sees it: the messages of both directions."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.received = FrameReader(limit)
        self.sent = FrameReader(limit)


class DrivenHost(Host):
    """A machine with a participant. The methods are for the participant; they take effect after the present action."""

    def __init__(
        self,
        world: Surroundings,
        name: str,
        address: NetAddress,
        config: NodeConfig,
        hash_rate: float,
        participant: Participant,
    ) -> None:
        super().__init__(world, name, address, config, hash_rate)
        if hasattr(participant, "host"):
            raise ValueError(f"the participant of '{name}' drives '{participant.host.name}' already")
        self.participant = participant
        self.random = Random(world.seed ^ int.from_bytes(native.sha256d(name.encode())[:8], "big"))
        """For the participant's choices."""
        self._lines: dict[int, _Line] = {}
        self._offered: StartMining | None = None
        self._work: Work | None = None
        self._carriers[Send] = self._send
        participant.host = self

    # --- for the participant

    @property
    def peers(self) -> list[str]:
        """The names of the connected hosts, in the order of connecting."""
        return list(dict.fromkeys(line.name for line in self._lines.values()))

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Schedule an action, unless the machine crashes or stops before."""
        self.later(seconds(delay_s), action)

    def submit(self, block: Block) -> None:
        """Submit a block of this machine's miner to the node."""
        self.after(0, lambda: self.feed(BlockMined(block.raw)))

    def request(self, request: Request) -> None:
        """Send the node a request, such as `SetMining`."""
        self.after(0, lambda: self._asked(request))

    def send(self, peer: str, message: Fields) -> None:
        """Send a peer a message that is not the node's; does nothing if it is not connected."""
        for peer_id, line in self._lines.items():
            if line.name == peer:
                self._world.send(self, peer_id, frame(encode(message)), counted=False)
                return

    def mine(self) -> None:
        """Ask the participant again which work to mine on."""
        offered = self._offered
        if offered is not None:
            self.after(0, lambda: self._start_mining(offered) if offered is self._offered else None)

    def work_on(self, parent: Entry, recipient: bytes) -> Work:
        """Work for an empty block on any known block."""
        return Work(template_on(self.node.queries.rulebook, parent, self.now.wall_s), recipient)

    def _asked(self, request: Request) -> None:
        self.ask(request)

    # --- between the node and the world

    def start(self) -> None:
        self._lines.clear()
        self._offered = None
        super().start()
        self.participant.started()

    def feed(self, incoming: Input) -> None:
        match incoming:
            case PeerOpened():
                limit = frame_limit(self._config.rulebook.spec.max_block_bytes)
                self._lines[incoming.peer] = _Line(self._world.other_end(self, incoming.peer), limit)
            case PeerClosed():
                self._lines.pop(incoming.peer, None)
            case BytesReceived() if (line := self._lines.get(incoming.peer)) is not None:
                for message in map(decode, _payloads(line.received, incoming.data)):
                    if message is not None:
                        self.participant.received(line.name, message)
        super().feed(incoming)

    def _send(self, effect: Send) -> None:
        """Unchanged bytes are sent as they are. If something is changed, the node is told at once that its bytes were
        sent."""
        line = self._lines.get(effect.peer)
        payloads = [] if line is None else _payloads(line.sent, effect.data)
        decisions = [(payload, *self._decide(line.name, payload)) for payload in payloads if line is not None]
        if all(decision is message for _, message, decision in decisions):
            self._world.send(self, effect.peer, effect.data)
            return
        for payload, message, decision in decisions:
            if decision is message:
                self._world.send(self, effect.peer, frame(payload), counted=False)
            elif isinstance(decision, Delayed):
                self._send_later(effect.peer, decision)
            elif decision is not None:
                self._world.send(self, effect.peer, frame(encode(decision)), counted=False)
        self.later(0, lambda: self.feed(BytesDrained(effect.peer, len(effect.data))))

    def _decide(self, peer: str, payload: bytes) -> tuple[Fields | None, Fields | Delayed | None]:
        """The message, and what the participant makes of it; None twice for an unknown type, which passes."""
        message = decode(payload)
        return message, None if message is None else self.participant.outgoing(peer, message)

    def _send_later(self, peer: int, delayed: Delayed) -> None:
        data = frame(encode(delayed.message))
        self.after(delayed.delay_s, lambda: self._world.send(self, peer, data, counted=False))

    def _start_mining(self, effect: StartMining) -> None:
        self._offered = effect
        self._work = self.participant.work(Work(effect.template, effect.recipient))
        if self._work is None:
            super()._stop_mining(StopMining())
        else:
            super()._start_mining(StartMining(self._work.template, self._work.recipient))

    def _stop_mining(self, effect: StopMining) -> None:
        self._offered = None
        super()._stop_mining(effect)

    def _coinbase(self, effect: StartMining) -> Coinbase:
        if self._work is None or self._work.extra is None:
            return super()._coinbase(effect)
        return effect.template.coinbase(effect.recipient, self._work.extra)

    def _hand_in(self, block: Block) -> None:
        offered = self._offered
        if self.participant.found(block):
            super()._hand_in(block)
            if offered is not None and block.header.prev_hash == offered.template.prev_hash:
                return  # the node sends a new template when the next height is reached
        self.mine()

    def _publish(self, effect: Publish) -> None:
        super()._publish(effect)
        self.participant.heard(effect.event)


def _payloads(reader: FrameReader, data: bytes) -> list[bytes]:
    """The payloads that `data` completes; none if the stream is not a sequence of frames."""
    try:
        return list(reader.feed(data))
    except DecodeError:
        return []
