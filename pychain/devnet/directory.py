"""A devnet's directory as any shell finds it: what runs there, how to stop it, how to clear it for another."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec

from pychain.devnet.control import RELAY_LOG, find_relay
from pychain.devnet.errors import DevnetError
from pychain.devnet.processes import NodeProcess
from pychain.devnet.record import LOCK_FILE, NodeRecord, Record, change_record, read_record, the_record
from pychain.devnet.relay import CONTROL_SOCKET


def running_nodes(directory: Path) -> list[NodeProcess]:
    """The running nodes of the devnet in a directory."""
    record = read_record(directory)
    found = [
        NodeProcess(node.process, directory / node.directory)
        for node in (record.nodes if record else ())
        if node.process is not None
    ]
    return [process for process in found if process.is_running]


def is_up(directory: Path) -> bool:
    """Whether any process of a devnet runs: its nodes may all have been killed, and can still be restarted."""
    record = read_record(directory)
    return record is not None and (find_relay(record.relay) is not None or bool(running_nodes(directory)))


async def take_down(directory: Path) -> int:
    """Stop the nodes of the devnet in a directory; returns how many there were. DevnetError if there is no devnet."""
    relay = find_relay(the_record(directory).relay)
    nodes = running_nodes(directory)
    await asyncio.gather(*(process.stop() for process in nodes))
    if relay is not None:
        await relay.stop()
    change_record(directory, stopped)
    return len(nodes)


def stopped(record: Record) -> Record:
    """A record after its processes were stopped."""
    nodes = [NodeRecord(node.directory) for node in record.nodes]
    return msgspec.structs.replace(record, nodes=nodes, relay=None, links=[])


def clear(directory: Path) -> None:
    """Remove the files of an earlier devnet from a directory, and nothing else. DevnetError while it runs."""
    record = read_record(directory)
    if record is None:
        return
    if is_up(directory):
        raise DevnetError(f"a devnet runs in {directory}; `pychain devnet down` stops it")
    for node in record.nodes:
        shutil.rmtree(directory / Path(node.directory).name, ignore_errors=True)
    for name in (RELAY_LOG, CONTROL_SOCKET, LOCK_FILE):
        (directory / name).unlink(missing_ok=True)
