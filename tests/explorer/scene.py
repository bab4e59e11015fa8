"""A little network worth looking at: an hour of blocks at a difficulty that moves, transfers with memos, branches that
lost, peers, and a miner over Stratum."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pychain.chain.address import encode_address
from pychain.wallet.keys import PrivateKey, dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.daemon.process import Daemon
from tests.support.network import Network
from tests.support.stratum import Miner

COIN = 100_000_000
SPACING_S = 10
BLOCKS = 240
POW_LIMIT = 0xFFFF << 224
"""65,536 hashes a block at the least: quick to find, and the difficulty is no number like 10^-10."""
MEMOS = (b"rent, November", b"thank you \xe2\x9d\xa4", b"", b"\x00\x01\x02", "καλημέρα".encode(), b"<b>not bold</b>")
KEYS = tuple(dev_key(number) for number in range(8))


@dataclass
class Scene:
    """The node that is shown, and its network."""

    network: Network
    node: Daemon
    sequences: dict[int, int]
    dice: random.Random

    @property
    def base(self) -> str:
        """URL of the shown node's API, without a path."""
        assert self.node.ready is not None
        url: str = self.node.ready["api"]
        return url

    def address(self, key: PrivateKey) -> str:
        return encode_address(self.network.hrp, key.public_key)

    def mine(self, count: int = 1, key: PrivateKey = KEYS[0]) -> list[str]:
        hashes: list[str] = self.node.rpc("generatetoaddress", count, self.address(key), 10**9)
        return hashes

    def pay(self) -> str:
        """Somebody pays somebody."""
        sender = self.dice.randrange(len(KEYS))
        recipient = KEYS[(sender + self.dice.randrange(1, len(KEYS))) % len(KEYS)].public_key
        amount = self.dice.choice((COIN // 4, 3 * COIN, 12_345_678, 250 * COIN))
        fee = 200 * 2 ** self.dice.randrange(1, 9)
        payment = Payment(recipient, amount, fee, self.dice.choice(MEMOS))
        transfer = sign_transfer(KEYS[sender], self.network.genesis_hash, self.sequences[sender], payment)
        self.sequences[sender] += 1
        txid: str = self.node.rpc("sendrawtransaction", transfer.raw.hex())
        return txid

    def fork(self, depth: int, *, invalid: bool = False) -> None:
        """Blocks that lose against as many others and one more."""
        losing = self.mine(depth, KEYS[1])
        self.node.rpc("invalidateblock", losing[0])
        self.mine(depth + 1, KEYS[2])
        if not invalid:
            self.node.rpc("reconsiderblock", losing[0])


@contextmanager
def scene(directory: Path) -> Iterator[Scene]:
    """The network, played up to this moment."""
    dice = random.Random(2009)
    now = int(time.time())
    began = now - BLOCKS * SPACING_S
    network = Network(
        name="harbour",
        hrp="hpyc",
        spacing_s=SPACING_S,
        half_life_s=900,
        max_future_s=600,
        retarget="asert",
        pow_limit=POW_LIMIT,
        genesis_bits=0x1F00FFFF,
        genesis_time=began,
        start_time=began,
        allocations=tuple((key.public_key, 10_000 * COIN) for key in KEYS),
        maturity=3,
    )
    spec = directory / "harbour.toml"
    spec.write_text(network.toml() + "\n[node]\ndev = true\n")
    with ExitStack() as stack:
        shown = stack.enter_context(Daemon(directory / "shown", network=str(spec), stratum_port=0).wait_ready())
        play = Scene(network, shown, dict.fromkeys(range(len(KEYS)), 0), dice)
        _play(play, began, now)
        others = {"connect": [shown.p2p]}
        for name in ("second", "third"):
            stack.enter_context(Daemon(directory / name, network=str(spec), **others).wait_ready())
        listening = stack.enter_context(Daemon(directory / "fourth", network=str(spec)).wait_ready())
        shown.rpc("addnode", listening.p2p, "add")
        shown.until(lambda: shown.rpc("getnetworkinfo")["connections"] == 3)
        stack.enter_context(_miner(play))
        yield play


def _play(play: Scene, began: int, now: int) -> None:
    for number, moment in enumerate(_moments(play.dice, began, now)):
        play.node.rpc("setmocktime", moment)
        for _ in range(play.dice.choice((0, 0, 1, 2, 5))):
            play.pay()
        if number in (BLOCKS - 12, BLOCKS - 30):
            play.fork(2)
        elif number in (BLOCKS - 14, BLOCKS - 7):
            play.fork(1, invalid=number == BLOCKS - 7)
        else:
            play.mine(1, play.dice.choice(KEYS[:3]))
    play.node.rpc("setmocktime", 0)
    for _ in range(24):
        play.pay()


def _moments(dice: random.Random, began: int, now: int) -> list[int]:
    """When blocks are found: at random, by a power that comes and goes."""
    paces = (0.7, 1.2, 0.9, 1.4)
    spans = [dice.expovariate(1 / paces[number * len(paces) // BLOCKS]) for number in range(BLOCKS)]
    scale = (now - began) / sum(spans)
    return [began + int(scale * sum(spans[: number + 1])) for number in range(BLOCKS)]


@contextmanager
def _miner(play: Scene) -> Iterator[None]:
    """A connected miner with a few shares."""
    assert play.node.ready is not None
    with Miner(play.node.ready["stratum"], f"{play.address(KEYS[3])}.attic") as miner:
        miner.call("mining.subscribe", "harbour-miner/1.0")
        miner.call("mining.authorize", miner.user, miner.password)
        yield
