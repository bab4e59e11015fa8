"""A Stratum miner from the public protocol alone: hashlib, struct and json, independent of pychain's own code.

`MinerClient` is the protocol without a socket (requests to send, notifications received), `Miner` the same on a socket.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 60.0
STALE = 21
DIFFICULTY_1 = 0xFFFF << 208


class StratumError(Exception):
    """An answer with an error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


@dataclass
class Work:
    """One `mining.notify` and the difficulty it applies to."""

    job_id: str
    prev_hash: bytes
    coinb1: bytes
    coinb2: bytes
    branch: list[bytes]
    version: int
    bits: int
    time: int
    clean: bool
    difficulty: float

    @classmethod
    def told(cls, params: list[Any], difficulty: float) -> Work:
        job_id, prev_hash, coinb1, coinb2, branch, version, bits, time, clean = params
        words = bytes.fromhex(prev_hash)
        assert len(words) == 32
        assert [len(text) for text in (version, bits, time)] == [8, 8, 8]
        assert isinstance(clean, bool)
        int(job_id, 16)
        return cls(
            job_id=job_id,
            prev_hash=b"".join(words[i : i + 4][::-1] for i in range(0, 32, 4)),
            coinb1=bytes.fromhex(coinb1),
            coinb2=bytes.fromhex(coinb2),
            branch=[bytes.fromhex(sibling) for sibling in branch],
            version=int(version, 16),
            bits=int(bits, 16),
            time=int(time, 16),
            clean=clean,
            difficulty=difficulty,
        )

    @property
    def network_target(self) -> int:
        return (self.bits & 0x7FFFFF) << 8 * ((self.bits >> 24) - 3)

    @property
    def share_target(self) -> int:
        """As minerd computes it, from 0xFFFF * 2^208."""
        return min(int(DIFFICULTY_1 / self.difficulty), 2**256 - 1)

    def coinbase(self, extranonce1: bytes, extranonce2: bytes) -> bytes:
        return self.coinb1 + extranonce1 + extranonce2 + self.coinb2

    def header(self, extranonce1: bytes, extranonce2: bytes, time: int, nonce: int, version: int) -> bytes:
        root = sha256d(self.coinbase(extranonce1, extranonce2))
        for sibling in self.branch:
            root = sha256d(root + sibling)
        return struct.pack("<I", version) + self.prev_hash + root + struct.pack("<III", time, self.bits, nonce)


@dataclass(frozen=True)
class Found:
    """A solution, and the parameters that submit it after the user."""

    hash: bytes
    params: list[str]

    @property
    def value(self) -> int:
        return int.from_bytes(self.hash, "little")


class MinerClient:
    """The state of a miner's connection."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._extranonces = itertools.count()
        self.extranonce1 = b""
        self.extranonce2_size = 0
        self.difficulty = 1.0
        self.mask = 0
        self.work: Work | None = None
        self.told: list[tuple[str, list[Any]]] = []
        """Notifications, in order."""

    def request(self, method: str, *params: Any) -> tuple[int, bytes]:
        """A call's id and line."""
        call_id = next(self._ids)
        return call_id, json.dumps({"id": call_id, "method": method, "params": params}).encode() + b"\n"

    def take(self, line: bytes) -> dict[str, Any]:
        """Take a line from the server: record a notification, and return the message."""
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            assert message["id"] is None
            self.told.append((message["method"], message["params"]))
            if message["method"] == "mining.set_difficulty":
                [self.difficulty] = message["params"]
            elif message["method"] == "mining.notify":
                self.work = Work.told(message["params"], self.difficulty)
        return message

    def subscribed(self, result: list[Any]) -> None:
        subscriptions, extranonce1, self.extranonce2_size = result
        assert [name for name, _ in subscriptions] == ["mining.set_difficulty", "mining.notify"]
        self.extranonce1 = bytes.fromhex(extranonce1)

    def search(self, target: int | None = None, above: int = -1, rolled: int | None = None) -> Found:
        """A hash for the current work that is at most `target` (by default the share's), and more than `above`.

        `rolled`: version bits to mine with, inside the mask."""
        work = self.work
        assert work is not None
        limit = work.share_target if target is None else target
        extranonce2 = next(self._extranonces).to_bytes(self.extranonce2_size, "big")
        version = work.version if rolled is None else work.version & ~self.mask | rolled
        head = work.header(self.extranonce1, extranonce2, work.time, 0, version)[:76]
        for nonce in range(2**32):
            block_hash = sha256d(head + struct.pack("<I", nonce))
            if above < int.from_bytes(block_hash, "little") <= limit:
                params = [work.job_id, extranonce2.hex(), f"{work.time:08x}", f"{nonce:08x}"]
                return Found(block_hash, params if rolled is None else [*params, f"{rolled:08x}"])
        raise AssertionError("no nonce")


class Miner:
    """A miner on a socket. As a context manager it hangs up at the end."""

    def __init__(self, host_port: str, user: str = "", password: str = "x") -> None:
        host, _, port = host_port.rpartition(":")
        self.client = MinerClient()
        self.user = user
        self.password = password
        self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
        self._rest = b""
        self._lines: deque[bytes] = deque()

    def __enter__(self) -> Miner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_line(self) -> bytes:
        """The next line; ConnectionError if the server hung up."""
        while not self._lines:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the server hung up")
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(lines)
        return self._lines.popleft()

    def call(self, method: str, *params: Any) -> Any:
        """The result of a call; StratumError if it is rejected."""
        call_id, line = self.client.request(method, *params)
        self.send(line)
        return self.answer(call_id)

    def answer(self, call_id: int) -> Any:
        while True:
            message = self.client.take(self.read_line())
            if message["id"] == call_id:
                if message["error"] is not None:
                    assert message["result"] is False
                    raise StratumError(*message["error"][:2])
                return message["result"]

    def log_in(self, roll: bool = False) -> Miner:
        """Configure version rolling if asked, subscribe and authorize."""
        if roll:
            granted = self.call("mining.configure", ["version-rolling"], {"version-rolling.mask": "1fffe000"})
            assert granted["version-rolling"] is True
            self.client.mask = int(granted["version-rolling.mask"], 16)
        self.client.subscribed(self.call("mining.subscribe", "tests/1.0"))
        assert self.call("mining.authorize", self.user, self.password) is True
        return self

    def wait_work(self, after: Work | None = None) -> Work:
        """The current job, once there is one that is not `after`."""
        while self.client.work is None or self.client.work is after:
            self.client.take(self.read_line())
        return self.client.work

    def submit(self, found: Found) -> bool:
        taken: bool = self.call("mining.submit", self.user, *found.params)
        assert taken is True
        return taken

    def mine_block(self, roll: bool = False) -> bytes:
        """Search until a block is accepted, and return its hash. Jobs that become stale are dropped."""
        while True:
            work = self.wait_work()
            rolled = next(iter_bits(self.client.mask)) if roll else None
            found = self.client.search(min(work.network_target, work.share_target), rolled=rolled)
            try:
                self.submit(found)
                return found.hash
            except StratumError as error:
                if error.code != STALE:
                    raise
                self.wait_work(after=work)


def iter_bits(mask: int) -> Any:
    """The single bits of a mask, highest first."""
    return (1 << bit for bit in reversed(range(32)) if mask >> bit & 1)
