"""Withholding: a machine's node has blocks and mines on them without announcing them to its peers."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pychain import native
from pychain.chain.header import HEADER_BYTES
from pychain.ledger.tree import Entry
from pychain.p2p.messages import Block, Fields, GetHeaders, Headers, Hello, Inv, Kind
from pychain.sim.participants.participant import Delayed, Participant


class Withholding(Participant):
    """Withholds blocks until they are released, to all peers or to some; a base for attackers."""

    def __init__(self) -> None:
        self._hidden: dict[bytes, set[str]] = {}
        """The hidden blocks by hash, and the peers to which each was announced."""
        self._questions: dict[str, int] = {}
        """How many answers with headers each peer is owed; other headers are announcements."""

    def hide(self, block_hash: bytes) -> None:
        """Withhold a block from all peers. Its descendants must be hidden as well."""
        self._hidden[block_hash] = set()

    def is_hidden(self, block_hash: bytes, peer: str | None = None) -> bool:
        """Whether a block is hidden from a peer, or from any peer."""
        told = self._hidden.get(block_hash)
        return told is not None and (peer is None or peer not in told)

    def release(self, entry: Entry, peers: Iterable[str] | None = None) -> None:
        """Announce a block with its hidden ancestors, to all peers or to these, where it has not been announced yet."""
        for peer in self.host.peers if peers is None else list(peers):
            headers = []
            at: Entry | None = entry
            while at is not None and self.is_hidden(at.hash, peer):
                self._hidden[at.hash].add(peer)
                headers.append(at.header.raw)
                at = at.parent
            if headers:
                self.host.send(peer, Headers(tuple(reversed(headers))))
        if peers is None:
            at = entry
            while at is not None and self._hidden.pop(at.hash, None) is not None:
                at = at.parent

    def received(self, peer: str, message: Fields) -> None:
        if isinstance(message, GetHeaders):
            self._questions[peer] = self._questions.get(peer, 0) + 1

    def outgoing(self, peer: str, message: Fields) -> Fields | Delayed | None:
        match message:
            case Headers():
                due = self._questions.get(peer, 0)
                self._questions[peer] = max(0, due - 1)
                return self.answer(peer, message) if due else self.announcement(peer, message)
            case Inv(kind=Kind.BLOCK):
                return self.announcement(peer, message)
            case Block() if self.is_hidden(native.sha256d(message.raw[:HEADER_BYTES]), peer):
                return None
            case Hello():
                return self._without_hidden(peer, message)
        return message

    def announcement(self, peer: str, message: Headers | Inv) -> Fields | None:
        """The message to send to a peer in place of an announcement of blocks, None for none."""
        if isinstance(message, Headers):
            answer = self.answer(peer, message)
            return answer if answer.headers else None
        shown = tuple(each for each in message.hashes if not self.is_hidden(each, peer))
        return Inv(Kind.BLOCK, shown) if shown else None

    def answer(self, peer: str, message: Headers) -> Headers:
        """The answer to a peer's getheaders: the headers that it may know, which may be none."""
        shown = tuple(raw for raw in message.headers if not self.is_hidden(native.sha256d(raw), peer))
        return message if len(shown) == len(message.headers) else Headers(shown)

    def _without_hidden(self, peer: str, hello: Hello) -> Hello:
        """The hello with the best block that the peer may know."""
        entry: Entry | None = self.host.node.queries.tip
        while entry is not None and self.is_hidden(entry.hash, peer):
            entry = entry.parent
        assert entry is not None, "genesis is never hidden"
        work = entry.work.to_bytes(len(hello.tip_work), "big")
        return msgspec.structs.replace(hello, tip_height=entry.height, tip_work=work)
