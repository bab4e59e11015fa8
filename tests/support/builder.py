"""Valid chains for the tests of higher packages: forged as the project's own blocks, under any retarget rule."""

from __future__ import annotations

from collections.abc import Sequence

from pychain.chain.block import Block, decode_block
from pychain.chain.header import Header, decode_header
from pychain.chain.spec import ChainSpec, parse_spec
from pychain.consensus.branch import times_of_last
from pychain.consensus.rulebook import Rulebook
from tests.support.forge import MINER, Forged, forge, genesis
from tests.support.network import Network


def spec_of(network: Network) -> ChainSpec:
    """The project's spec of a test network, read from its TOML."""
    return parse_spec(network.toml())


class HeaderBranch:
    """A list of headers, genesis first, as the rules see a branch."""

    def __init__(self, headers: list[Header]) -> None:
        self._headers = headers

    @property
    def height(self) -> int:
        return len(self._headers) - 1

    def header(self, height: int) -> Header:
        assert 0 <= height <= self.height
        return self._headers[height]

    @property
    def last_times(self) -> Sequence[int]:
        return times_of_last(self)


class ChainBuilder:
    """Grows valid branches on a network's genesis; every block remembers its own branch."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.spec = spec_of(network)
        self.rulebook = Rulebook(self.spec)
        root = genesis(network)
        self._forged: dict[bytes, Forged] = {root.hash: root}
        self._headers: dict[bytes, list[Header]] = {root.hash: [decode_header(root.header)]}
        self.tip: bytes = root.hash
        """Hash of the block made last."""

    def extend(
        self,
        on: bytes | None = None,
        transfers: Sequence[bytes] = (),
        *,
        time: int | None = None,
        miner: bytes = MINER,
    ) -> Block:
        """A new valid block on the block with hash `on` (the last one made where it is None)."""
        parent = self._forged[self.tip if on is None else on]
        branch = self._headers[parent.hash]
        bits = self.rulebook.next_bits(HeaderBranch(branch))
        name = f"block {len(self._forged)}"
        forged = forge(self.network, name, parent, transfers, time=time, bits=bits, miner=miner)
        self._forged[forged.hash] = forged
        self._headers[forged.hash] = [*branch, decode_header(forged.header)]
        self.tip = forged.hash
        return decode_block(forged.raw)

    def chain(self, length: int, on: bytes | None = None) -> list[Block]:
        """`length` empty blocks, one on the other."""
        blocks = []
        for _ in range(length):
            blocks.append(self.extend(on))
            on = blocks[-1].hash
        return blocks
