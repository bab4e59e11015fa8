"""The record of a devnet, `devnet.json` in its directory: enough to find exactly its processes again, and to restart
its nodes. Every change of a devnet, from any shell, updates its record."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from pychain.devnet.errors import DevnetError
from pychain.devnet.identity import Identity
from pychain.devnet.links import Link

RECORD_FILE = "devnet.json"
LOCK_FILE = "devnet.lock"
MAX_RECORD_BYTES = 1_000_000


class NodeRecord(msgspec.Struct, frozen=True):
    """One node. `directory` is relative to the devnet's; `process` is None once it has been stopped.

    p2p, api: where it listens, as it does again when it is restarted. mines: whether it should mine. killed: it was
    killed on purpose.
    """

    directory: str
    process: Identity | None = None
    p2p: str = ""
    api: str = ""
    mines: bool = False
    killed: bool = False


class Record(msgspec.Struct, frozen=True):
    """A devnet as it was started. `relay` is the process of its links, None once that has been stopped; `links` are
    their last settings."""

    network: str
    topology: str
    nodes: list[NodeRecord]
    format: Literal["pychain-devnet"] = "pychain-devnet"
    version: Literal[1] = 1
    threads: int = 1
    options: list[str] = []
    relay: Identity | None = None
    links: list[Link] = []

    def with_node(self, index: int, **changes: Any) -> Record:
        """The same record with one node changed."""
        nodes = list(self.nodes)
        nodes[index] = msgspec.structs.replace(nodes[index], **changes)
        return msgspec.structs.replace(self, nodes=nodes)


def read_record(directory: Path) -> Record | None:
    """The record in a directory, None if there is none. DevnetError if it is not readable as one."""
    path = directory / RECORD_FILE
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(MAX_RECORD_BYTES), type=Record)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DevnetError(f"{path} is not the record of a devnet: {error}") from None


def the_record(directory: Path) -> Record:
    """The record in a directory. DevnetError if there is no devnet."""
    record = read_record(directory)
    if record is None:
        raise DevnetError(f"there is no devnet in {directory}")
    return record


def write_record(directory: Path, record: Record) -> None:
    """Write it atomically."""
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f"{RECORD_FILE}.new"
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    os.replace(temporary, directory / RECORD_FILE)


def change_record(directory: Path, change: Callable[[Record], Record]) -> Record:
    """Update the record in a directory and return it; several shells may do so at once."""
    with (directory / LOCK_FILE).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record = change(the_record(directory))
        write_record(directory, record)
    return record
