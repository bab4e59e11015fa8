"""The network: nodes started, connected, cut apart, killed, restarted and stopped, all by their processes and API."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pychain.chain.spec import ChainSpec
from pychain.client import Client
from pychain.client.errors import RefusedError
from pychain.devnet.errors import DevnetError
from pychain.devnet.keys import node_address
from pychain.devnet.processes import NodeProcess, Ready
from pychain.devnet.record import NodeRecord, Record, read_record, write_record
from pychain.devnet.topology import TOPOLOGIES, Links

MAX_NODES = 64
"""Processes of one machine: each takes 60 MB, and the miners share its cores."""
ALREADY_ADDED, NOT_ADDED, NOT_CONNECTED = -23, -24, -29
"""Codes of the API for a link that is, or is not, as it was asked for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start. `network` is a name or a file, as for `pychain node`; `spec` is what it means.

    threads: mining threads a node. options: further options of every node.
    """

    directory: Path
    network: str
    spec: ChainSpec
    count: int
    topology: str = "full"
    threads: int = 1
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_NODES:
            raise DevnetError(f"a devnet has 1 to {MAX_NODES} nodes, not {self.count}")

    @property
    def links(self) -> Links:
        return TOPOLOGIES[self.topology](self.count)


class DevnetNode:
    """One node of a devnet that was started here."""

    def __init__(self, index: int, process: NodeProcess, ready: Ready) -> None:
        self.index = index
        self.process = process
        self.ready = ready
        self.client: Client = process.client()


class Devnet:
    """A running network. `start` it, and `stop` it whatever happens."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.nodes: list[DevnetNode] = []

    async def start(self) -> None:
        """Start all nodes on free ports and connect them by the topology; nothing is mined yet."""
        processes: list[NodeProcess] = []
        try:
            for index in range(self.plan.count):
                processes.append(self._spawn(index, ()))
                self._write_record(processes)
            for index, process in enumerate(processes):
                self.nodes.append(DevnetNode(index, process, await process.ready()))
            for one, other in self.plan.links:
                await self.link(one, other)
        except BaseException:
            await _stop_all(processes)
            self._write_record([])
            raise

    async def stop(self) -> None:
        """Stop every node in order."""
        for node in self.nodes:
            await node.client.close()
        await _stop_all([node.process for node in self.nodes])
        self._write_record([])

    def abandon(self) -> None:
        """Leave the nodes running; `take_down` on the directory ends them."""
        self._write_record([node.process for node in self.nodes])

    def kill(self) -> None:
        """End every node at once."""
        for node in self.nodes:
            node.process.kill()

    # --- links

    async def link(self, one: int, other: int) -> None:
        """Have the node `other` keep a connection to `one`."""
        await _unless(ALREADY_ADDED, self.nodes[other].client.call("addnode", self.nodes[one].ready.p2p, "add"))

    async def cut(self, one: int, other: int) -> None:
        """End the connection between two nodes, for good."""
        await _unless(NOT_ADDED, self.nodes[other].client.call("addnode", self.nodes[one].ready.p2p, "remove"))
        await _unless(NOT_CONNECTED, self.nodes[other].client.call("disconnectnode", self.nodes[one].ready.p2p))

    # --- mining

    async def mine(self, indexes: Sequence[int] | None = None) -> None:
        """Let nodes mine, each to its own key; all of them by default."""
        for index in range(self.plan.count) if indexes is None else indexes:
            await self.nodes[index].client.call("setmining", node_address(self.plan.spec, index))

    async def rest(self) -> None:
        """Let nobody mine any more."""
        await asyncio.gather(*(node.client.call("setmining", None) for node in self.nodes))

    # --- accidents

    async def crash(self, index: int) -> None:
        """End one node as a power cut would."""
        node = self.nodes[index]
        await node.client.close()
        node.process.kill()
        await node.process.wait(timeout_s=30)

    async def restart(self, index: int) -> None:
        """Start a node again that has ended, on its old ports and with its links; it does not mine."""
        old = self.nodes[index].ready
        ports = ("--p2p-port", old.p2p.rpartition(":")[2], "--api-port", old.api.rpartition(":")[2])
        process = self._spawn(index, ports)
        self.nodes[index] = DevnetNode(index, process, await process.ready())
        self._write_record([node.process for node in self.nodes])
        for one, other in self.plan.links:
            if other == index:
                await self.link(one, other)

    # --- the parts

    def _spawn(self, index: int, ports: tuple[str, ...]) -> NodeProcess:
        plan = self.plan
        return NodeProcess.start(
            plan.directory / _node_directory(index),
            plan.network,
            [
                "--connect-only",
                *("--listen", "127.0.0.1"),
                *(ports or ("--p2p-port", "0", "--api-port", "0")),
                *("--threads", str(plan.threads)),
                *plan.options,
            ],
        )

    def _write_record(self, running: Sequence[NodeProcess]) -> None:
        identities = [process.identity for process in running] + [None] * (self.plan.count - len(running))
        nodes = [NodeRecord(_node_directory(index), identity) for index, identity in enumerate(identities)]
        write_record(self.plan.directory, Record(self.plan.network, self.plan.topology, nodes))


def running_nodes(directory: Path) -> list[NodeProcess]:
    """The nodes of the devnet in a directory that run now."""
    record = read_record(directory)
    found = [
        NodeProcess(node.process, directory / node.directory)
        for node in (record.nodes if record else ())
        if node.process is not None
    ]
    return [process for process in found if process.is_running]


async def take_down(directory: Path) -> int:
    """Stop the nodes of the devnet in a directory; gives how many ran. DevnetError where there is no devnet."""
    record = read_record(directory)
    if record is None:
        raise DevnetError(f"there is no devnet in {directory}")
    processes = running_nodes(directory)
    await _stop_all(processes)
    nodes = [NodeRecord(node.directory) for node in record.nodes]
    write_record(directory, Record(record.network, record.topology, nodes))
    return len(processes)


def clear(directory: Path) -> None:
    """Remove what an earlier devnet left in a directory, and nothing else. DevnetError while it runs."""
    record = read_record(directory)
    if record is None:
        return
    if running_nodes(directory):
        raise DevnetError(f"a devnet runs in {directory}; `pychain devnet down` stops it")
    for node in record.nodes:
        shutil.rmtree(directory / Path(node.directory).name, ignore_errors=True)


def _node_directory(index: int) -> str:
    return f"node{index}"


async def _stop_all(processes: Sequence[NodeProcess]) -> None:
    await asyncio.gather(*(process.stop() for process in processes))


async def _unless(code: int, call: Awaitable[object]) -> None:
    """Make a call; one code says that it was not needed."""
    try:
        await call
    except RefusedError as error:
        if error.code != code:
            raise
