"""The network: start, connect, partition, slow, kill, pause, restart and stop nodes, all by their processes, their API,
and the relay that carries their links.

    devnet = Devnet(plan)           # or Devnet.attach(directory, spec): one that runs already, from any shell
    await devnet.start()
    await devnet.partition([[0, 1], [2, 3]])
    ...
    await devnet.heal()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pychain.chain.spec import ChainSpec
from pychain.client import Client, ClientError
from pychain.client.errors import RefusedError
from pychain.devnet import links as wiring
from pychain.devnet.control import RelayProcess, find_relay, set_links
from pychain.devnet.directory import stopped
from pychain.devnet.errors import DevnetError
from pychain.devnet.keys import node_address
from pychain.devnet.links import Link
from pychain.devnet.processes import NodeProcess
from pychain.devnet.record import NodeRecord, Record, change_record, the_record, write_record
from pychain.devnet.topology import TOPOLOGIES, Links

MAX_NODES = 64
"""Nodes on one machine: each takes 60 MB, and the miners share its cores."""
KILL_TIMEOUT_S = 30.0
NUDGE_TIMEOUT_S = 5.0
"""Time for a node to take a hint to dial; it would find its peers again without it."""
ALREADY_ADDED, NOT_ADDED = -23, -24
"""The API's codes for a manual peer that was already added, or never was."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a devnet. `network` is a name or a file, as for `pychain node`; `spec` is what it means.

    threads: mining threads per node. options: more options for every node.
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
        object.__setattr__(self, "directory", self.directory.absolute())  # its processes have another working directory

    @property
    def links(self) -> Links:
        return TOPOLOGIES[self.topology](self.count)


class DevnetNode:
    """One node of a devnet, running or not."""

    def __init__(self, index: int, process: NodeProcess, record: NodeRecord) -> None:
        self.index = index
        self.process = process
        self.record = record
        self._client: Client | None = None

    @property
    def p2p(self) -> str:
        """The address at which peers find it, whenever it runs."""
        return self.record.p2p

    @property
    def api(self) -> str:
        """The URL of its API, whenever it runs."""
        return self.record.api

    @property
    def client(self) -> Client:
        """A client of its API. UnreachableError if it does not run."""
        if self._client is None:
            self._client = self.process.client()
        return self._client

    @property
    def is_awake(self) -> bool:
        """Whether it runs and is not paused."""
        return self.process.is_running and not self.process.identity.is_paused

    async def close(self) -> None:
        """Close the connections to its API."""
        if self._client is not None:
            await self._client.close()
            self._client = None


class Devnet:
    """A network. `start` it and always `stop` it; or `attach` to a running one and `leave` it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.nodes: list[DevnetNode] = []
        self._relay: RelayProcess | None = None

    @classmethod
    def attach(cls, directory: Path, spec: ChainSpec) -> Devnet:
        """The devnet in a directory, whichever process started it. DevnetError if there is none."""
        record = the_record(directory)
        options = tuple(record.options)
        plan = Plan(directory, record.network, spec, len(record.nodes), record.topology, record.threads, options)
        devnet = cls(plan)
        for index, node in enumerate(record.nodes):
            if node.process is None:
                raise DevnetError(f"no devnet runs in {directory}")
            devnet.nodes.append(DevnetNode(index, NodeProcess(node.process, directory / node.directory), node))
        return devnet

    @property
    def record(self) -> Record:
        """The record that all shells share."""
        return the_record(self.plan.directory)

    # --- life cycle

    async def start(self) -> None:
        """Start all nodes on free ports and connect them by the topology; mining does not start yet."""
        plan = self.plan
        records = [NodeRecord(_node_directory(index)) for index in range(plan.count)]
        write_record(
            plan.directory, Record(plan.network, plan.topology, records, threads=plan.threads, options=[*plan.options])
        )
        processes: list[NodeProcess] = []
        try:
            relay = self._start_relay()
            for index in range(plan.count):
                processes.append(self._spawn(index))
            for index, process in enumerate(processes):
                ready = await process.ready()
                record = self._record_node(index, p2p=ready.p2p, api=ready.api)
                self.nodes.append(DevnetNode(index, process, record))
            await relay.ready(plan.directory)
            await self._connect(plan.links)
        except BaseException:
            await self._stop_all(processes)
            raise

    async def stop(self) -> None:
        """Stop every node cleanly, and then the relay."""
        self.refresh()
        await self.leave()
        await self._stop_all([node.process for node in self.nodes])

    async def leave(self) -> None:
        """Leave the nodes running and close the connections to them; `attach` returns to them, `take_down` ends
        them."""
        for node in self.nodes:
            await node.close()

    def kill_all(self) -> None:
        """Kill everything at once."""
        for node in self.nodes:
            node.process.kill()
        if self._relay is not None:
            self._relay.kill()

    def refresh(self) -> list[DevnetNode]:
        """Learn what other shells have changed; returns the nodes that have new processes, once those are ready."""
        self._find_relay()
        replaced = []
        for node, record in zip(self.nodes, self.record.nodes, strict=True):
            node.record = record
            has_ended = not node.process.is_running  # and is reaped, as only its parent can
            if not has_ended or record.process in (None, node.process.identity):
                continue
            process = NodeProcess(record.process, node.process.datadir)
            if process.is_ready:
                self.nodes[node.index] = DevnetNode(node.index, process, record)
                replaced.append(self.nodes[node.index])
        return replaced

    # --- links

    async def links(self) -> list[Link]:
        """All links as they are now. DevnetError if the relay is gone."""
        return await set_links(self.plan.directory)

    async def link(self, one: int, other: int) -> None:
        """Connect two nodes: make a link, or restore theirs."""
        await self._connect(((min(one, other), max(one, other)),))

    async def cut(self, one: int, other: int) -> None:
        """Cut the link of two nodes. DevnetError if they have none."""
        await self._revive_relay()
        link = wiring.find(await self.links(), one, other)
        await self._wire([msgspec.structs.replace(link, cut=True)])

    async def partition(self, groups: Iterable[Iterable[int]]) -> wiring.Groups:
        """Cut all links between groups of nodes, and restore those within each; unnamed nodes are one more group.
        Returns all groups. WrongNodesError if they overlap or name a node that does not exist."""
        whole = wiring.complete(groups, self.plan.count)
        await self._revive_relay()
        before = await self.links()
        await self._change(before, wiring.partition(before, whole))
        return whole

    async def heal(self) -> bool:
        """Restore all links and remove all lag; False if there was nothing to do. Paused or killed nodes stay so."""
        await self._revive_relay()
        before = await self.links()
        after = wiring.heal(before)
        await self._change(before, after)
        return after != before

    async def lag(self, lag_ms: float, jitter_ms: float = 0.0, between: tuple[int, int] | None = None) -> None:
        """Delay bytes on every link, or on that of two nodes: by the lag in each direction, plus at most the jitter.
        WrongNodesError if the delay is out of range."""
        for index in between or ():
            wiring.check_index(index, self.plan.count)
        await self._revive_relay()
        await self._wire(wiring.slow(await self.links(), lag_ms, jitter_ms, between))

    # --- mining

    async def mine(self, indexes: Sequence[int] | None = None) -> None:
        """Let nodes mine, each to its own key; by default all running nodes."""
        awake = [node.index for node in self.nodes if node.is_awake]
        for index in awake if indexes is None else indexes:
            await self.nodes[index].client.call("setmining", node_address(self.plan.spec, index))
            self._record_node(index, mines=True)

    async def rest(self) -> None:
        """Stop all mining."""
        for node in self.nodes:
            self._record_node(node.index, mines=False)
        await asyncio.gather(*(node.client.call("setmining", None) for node in self.nodes if node.is_awake))

    # --- faults

    async def kill(self, index: int) -> None:
        """Kill one node, as a power cut would. DevnetError if it does not run."""
        node = self._running(index)
        await node.close()
        self._record_node(index, killed=True)
        node.process.kill()
        await node.process.wait(KILL_TIMEOUT_S)

    async def pause(self, index: int) -> None:
        """Pause one node; its connections stay open. DevnetError if it does not run."""
        await self._running(index).process.pause()

    async def resume(self, index: int) -> None:
        """Resume a paused node. DevnetError if it does not run."""
        self._running(index).process.resume()

    async def restart(self, index: int) -> None:
        """Restart a node on its old data, ports and links, mining if it did; one that still runs is stopped cleanly
        first."""
        node = self._node(index)
        await node.close()
        await node.process.stop()
        ports = [each.rpartition(":")[2] for each in (node.p2p, node.api)]
        await self._revive_relay()
        process = self._spawn(index, *ports)
        await process.ready()
        self.nodes[index] = DevnetNode(index, process, node.record)
        links = [link for link in await self.links() if index in link.nodes]
        await self._dial(link for link in links if link.other == index)
        await self._nudge(link for link in links if link.one == index)
        if node.record.mines:
            await self.mine([index])

    # --- the parts

    def _node(self, index: int) -> DevnetNode:
        wiring.check_index(index, self.plan.count)
        return self.nodes[index]

    def _running(self, index: int) -> DevnetNode:
        node = self._node(index)
        if not node.process.is_running:
            raise DevnetError(f"node{index} does not run; `restart` starts it")
        return node

    def _spawn(self, index: int, p2p_port: str = "0", api_port: str = "0") -> NodeProcess:
        plan = self.plan
        process = NodeProcess.start(
            plan.directory / _node_directory(index),
            plan.network,
            [
                "--connect-only",
                *("--listen", "127.0.0.1", "--p2p-port", p2p_port, "--api-port", api_port),
                *("--threads", str(plan.threads)),
                *plan.options,
            ],
        )
        self._record_node(index, process=process.identity, killed=False)
        return process

    def _record_node(self, index: int, **changes: object) -> NodeRecord:
        """Record what has changed about a node."""
        record = change_record(self.plan.directory, lambda record: record.with_node(index, **changes)).nodes[index]
        if index < len(self.nodes):
            self.nodes[index].record = record
        return record

    def _start_relay(self) -> RelayProcess:
        relay = self._relay = RelayProcess.start(self.plan.directory)
        change_record(self.plan.directory, lambda record: msgspec.structs.replace(record, relay=relay.identity))
        return relay

    def _find_relay(self) -> RelayProcess | None:
        """The running relay: another shell may have started a new one."""
        if self._relay is None or not self._relay.is_running:
            self._relay = find_relay(self.record.relay)
        return self._relay

    async def _revive_relay(self) -> None:
        """If the relay is gone, start another on its ports, with the links as they were."""
        if self._find_relay() is not None:
            return
        await self._start_relay().ready(self.plan.directory)
        await set_links(self.plan.directory, self.record.links)

    async def _wire(self, links: Iterable[Link]) -> list[Link]:
        """Set links on the relay; returns all links."""
        after = await set_links(self.plan.directory, links)
        change_record(self.plan.directory, lambda record: msgspec.structs.replace(record, links=after))
        return after

    async def _connect(self, pairs: Links) -> None:
        """Make or restore links, and let the nodes dial them."""
        await self._revive_relay()
        there = {link.nodes: link for link in await self.links()}
        wanted = [there.get(pair) or Link(*pair, target=self.nodes[pair[0]].p2p) for pair in pairs]
        after = await self._wire(msgspec.structs.replace(link, cut=False) for link in wanted)
        await self._dial(link for link in after if link.nodes in pairs)
        await self._nudge(there[pair] for pair in pairs if pair in there)

    async def _change(self, before: Sequence[Link], after: Sequence[Link]) -> None:
        """Change links, and let the nodes dial those that are no longer cut at once."""
        await self._wire(after)
        await self._nudge(link for link, was in zip(after, before, strict=True) if was.cut and not link.cut)

    async def _dial(self, links: Iterable[Link]) -> None:
        """Make nodes keep connections over these links."""
        for link in links:
            await _unless(ALREADY_ADDED, self.nodes[link.other].client.call("addnode", link.dialled, "add"))

    async def _nudge(self, links: Iterable[Link]) -> None:
        """Make nodes dial these links now: by themselves they wait longer after each failure, up to half a minute."""
        for link in links:
            node = self.nodes[link.other]
            if not node.is_awake:
                continue
            try:
                async with asyncio.timeout(NUDGE_TIMEOUT_S):
                    await _unless(NOT_ADDED, node.client.call("addnode", link.dialled, "remove"))
                    await _unless(ALREADY_ADDED, node.client.call("addnode", link.dialled, "add"))
            except (ClientError, TimeoutError):
                continue

    async def _stop_all(self, processes: Sequence[NodeProcess]) -> None:
        await asyncio.gather(*(process.stop() for process in processes))
        if self._relay is not None:
            await self._relay.stop()
        change_record(self.plan.directory, stopped)


def _node_directory(index: int) -> str:
    return f"node{index}"


async def _unless(code: int, call: Awaitable[object]) -> None:
    """Make a call; the given error code means that it was not needed."""
    try:
        await call
    except RefusedError as error:
        if error.code != code:
            raise
