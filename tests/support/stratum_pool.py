"""A pool of plain Bitcoin jobs, from the public protocol alone: what `pychain miner` meets elsewhere."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.support.stratum import Work, sha256d

EXTRANONCE2_SIZE = 4
COINB1 = bytes.fromhex("01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff1d03ec3a0e")
COINB2 = bytes.fromhex("ffffffff01807c814a000000001976a914ffffffffffffffffffffffffffffffffffffffff88ac00000000")
BRANCH = [sha256d(bytes([number])) for number in range(3)]


class Pool:
    """Accepts miners on loopback, hands out jobs, and reckons each share by itself.

    difficulty: of the shares; bits: of the chain; mask: version bits it lets miners roll, None where it knows no
    `mining.configure` at all and hangs up on it; users: who may mine, None for anybody."""

    def __init__(
        self,
        difficulty: float = 2.0**-20,
        bits: int = 0x1D00FFFF,
        mask: int | None = 0x1FFFE000,
        users: set[str] | None = None,
    ) -> None:
        self.difficulty = difficulty
        self.bits = bits
        self.mask = mask
        self.users = users
        self.connections = 0
        self.answers = True
        self.shares: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()
        """Hash and version of each good share."""
        self.refused: list[str] = []
        self._jobs: dict[str, Work] = {}
        self._seen: set[bytes] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Pool:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """On everybody."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def notify(self, prev_hash: bytes, clean: bool = True, writer: asyncio.StreamWriter | None = None) -> None:
        """A new job for one, or for all."""
        params = [
            f"{len(self._jobs) + 1:x}",
            b"".join(prev_hash[i : i + 4][::-1] for i in range(0, 32, 4)).hex(),
            COINB1.hex(),
            COINB2.hex(),
            [sibling.hex() for sibling in BRANCH],
            "20000000",
            f"{self.bits:08x}",
            "65a00000",
            clean,
        ]
        self._jobs[params[0]] = Work.told(params, self.difficulty)
        for each in self._writers if writer is None else [writer]:
            self.say(each, {"id": None, "method": "mining.set_difficulty", "params": [self.difficulty]})
            self.say(each, {"id": None, "method": "mining.notify", "params": params})

    def tell(self, method: str, *params: Any) -> None:
        """Notify everybody of something."""
        for writer in self._writers:
            self.say(writer, {"id": None, "method": method, "params": params})

    def say(self, writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
        writer.write(json.dumps(message).encode() + b"\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        extranonce1 = self.connections.to_bytes(4, "big")
        self._writers.append(writer)
        try:
            while line := await reader.readline():
                call = json.loads(line)
                if call["method"] == "mining.configure" and self.mask is None:
                    break
                result, error = self._answer(call["method"], call["params"], extranonce1)
                if self.answers:
                    self.say(writer, {"id": call["id"], "result": result, "error": error})
                if call["method"] == "mining.authorize" and result:
                    self.notify(bytes(range(32)), writer=writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _answer(self, method: str, params: list[Any], extranonce1: bytes) -> tuple[Any, Any]:
        match method:
            case "mining.configure":
                return {"version-rolling": True, "version-rolling.mask": f"{self.mask:08x}"}, None
            case "mining.subscribe":
                return [[["mining.notify", "ae6812eb4cd7735a"]], extranonce1.hex(), EXTRANONCE2_SIZE], None
            case "mining.authorize":
                wanted = self.users is None or params[0] in self.users
                return (True, None) if wanted else (False, [24, "who is that?", None])
            case "mining.submit":
                refusal = self._judge(params, extranonce1)
                if refusal is not None:
                    self.refused.append(refusal)
                    return None, [20, refusal, None]
                return True, None
        return None, [20, f"no such method: {method}", None]

    def _judge(self, params: list[str], extranonce1: bytes) -> str | None:
        _, job_id, extranonce2, time, nonce, *rolled = params
        work = self._jobs.get(job_id)
        if work is None or len(extranonce2) != 2 * EXTRANONCE2_SIZE or len(rolled) != (self.mask is not None):
            return "malformed"
        bits = int(rolled[0], 16) if rolled else 0
        if bits & ~(self.mask or 0):
            return "bits outside the mask"
        version = work.version & ~(self.mask or 0) | bits
        header = work.header(extranonce1, bytes.fromhex(extranonce2), int(time, 16), int(nonce, 16), version)
        share = sha256d(header)
        if header in self._seen:
            return "duplicate"
        if int.from_bytes(share, "little") > work.share_target:
            return "low difficulty"
        self._seen.add(header)
        self.shares.put_nowait((share, version))
        return None
