"""The record of a devnet, `devnet.json` in its directory: enough to find its processes again, and no others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from pychain.devnet.errors import DevnetError
from pychain.devnet.identity import Identity

RECORD_FILE = "devnet.json"
MAX_RECORD_BYTES = 1_000_000


class NodeRecord(msgspec.Struct, frozen=True):
    """One node. `directory` is relative to the devnet's; `process` is None once it has been stopped."""

    directory: str
    process: Identity | None = None


class Record(msgspec.Struct, frozen=True):
    """A devnet as it was started."""

    network: str
    topology: str
    nodes: list[NodeRecord]
    format: Literal["pychain-devnet"] = "pychain-devnet"
    version: Literal[1] = 1


def read_record(directory: Path) -> Record | None:
    """The record in a directory, None where there is none. DevnetError where it is not what was written."""
    path = directory / RECORD_FILE
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(MAX_RECORD_BYTES), type=Record)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DevnetError(f"{path} is not the record of a devnet: {error}") from None


def write_record(directory: Path, record: Record) -> None:
    """Write it whole."""
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f"{RECORD_FILE}.new"
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    os.replace(temporary, directory / RECORD_FILE)
