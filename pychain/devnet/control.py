"""The relay as its users see it: start its process, find it again, and set its links."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from pychain.devnet.errors import DevnetError
from pychain.devnet.identity import Identity
from pychain.devnet.links import Link
from pychain.devnet.processes import Process, last_line, start_python
from pychain.devnet.relay import CONTROL_SOCKET, MAX_CONTROL_BYTES, Answer

RELAY_LOG = "links.log"
START_TIMEOUT_S = 30.0
"""Time for the relay to answer: a tenth of a second on an idle machine."""
ANSWER_TIMEOUT_S = 10.0
_POLL_S = 0.02


class RelayProcess(Process):
    """The relay of a devnet."""

    @classmethod
    def start(cls, directory: Path) -> RelayProcess:
        """Start the relay of a devnet's directory; `ready` waits for it."""
        (directory / CONTROL_SOCKET).unlink(missing_ok=True)  # of a killed relay
        identity, child = start_python("pychain.devnet.relay", [str(directory)], directory / RELAY_LOG)
        return cls(identity, child)

    async def ready(self, directory: Path) -> None:
        """Wait until it accepts commands. DevnetError if it ends instead."""
        give_up = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                await set_links(directory)
                return
            except DevnetError:
                if not self.is_running or time.monotonic() > give_up:
                    said = last_line(directory / RELAY_LOG)
                    raise DevnetError(f"the relay of {directory} does not run: {said}") from None
            await asyncio.sleep(_POLL_S)


def find_relay(identity: Identity | None) -> RelayProcess | None:
    """The relay that a record names, None if it has ended."""
    relay = None if identity is None else RelayProcess(identity)
    return relay if relay is not None and relay.is_running else None


async def set_links(directory: Path, links: Iterable[Link] = ()) -> list[Link]:
    """Make the relay of a directory set these links; returns all links as they are afterwards."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            line = await _tell(directory, msgspec.json.encode(list(links)))
        answer = msgspec.json.decode(line, type=Answer)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise DevnetError(f"the relay of {directory} does not answer: {error}") from None
    if answer.error:
        raise DevnetError(f"the relay of {directory} cannot do that: {answer.error}")
    return answer.links


async def _tell(directory: Path, line: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="pychain-") as short:
        # A socket's path may have about a hundred characters, and those of data directories are longer.
        (Path(short) / "devnet").symlink_to(directory)
        reader, writer = await asyncio.open_unix_connection(f"{short}/devnet/{CONTROL_SOCKET}", limit=MAX_CONTROL_BYTES)
    try:
        writer.write(line + b"\n")
        return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()
