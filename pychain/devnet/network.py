"""The network: nodes started, connected, cut apart, slowed, killed, paused, restarted and stopped, all by their
processes, their API, and the relay that their links run through.

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
"""Processes of one machine: each takes 60 MB, and the miners share its cores."""
KILL_TIMEOUT_S = 30.0
NUDGE_TIMEOUT_S = 5.0
"""For a node to take a hint; it would find its peers again without it."""
ALREADY_ADDED, NOT_ADDED = -23, -24
"""Codes of the API for a peer that is, or is not, kept connected already."""


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
        object.__setattr__(self, "directory", self.directory.absolute())  # its processes work elsewhere

    @property
    def links(self) -> Links:
        return TOPOLOGIES[self.topology](self.count)


class DevnetNode:
    """One node of a devnet, whether it runs or not."""

    def __init__(self, index: int, process: NodeProcess, record: NodeRecord) -> None:
        self.index = index
        self.process = process
        self.record = record
        self._client: Client | None = None

    @property
    def p2p(self) -> str:
        """Where peers find it, whenever it runs."""
        return self.record.p2p

    @property
    def api(self) -> str:
        """The URL of its API, whenever it runs."""
        return self.record.api

    @property
    def client(self) -> Client:
        """Of its API. UnreachableError where it has none, as it does not run."""
        if self._client is None:
            self._client = self.process.client()
        return self._client

    @property
    def is_awake(self) -> bool:
        """Whether it can answer: it runs and is not paused."""
        return self.process.is_running and not self.process.identity.is_paused

    async def close(self) -> None:
        """Hang up on its API."""
        if self._client is not None:
            await self._client.close()
            self._client = None


class Devnet:
    """A network. `start` it and `stop` it whatever happens; or `attach` to one that runs and `leave` it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.nodes: list[DevnetNode] = []
        self._relay: RelayProcess | None = None

    @classmethod
    def attach(cls, directory: Path, spec: ChainSpec) -> Devnet:
        """The devnet that was started in a directory, whoever did. DevnetError where there is none."""
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
        """What all shells that act on it have put down."""
        return the_record(self.plan.directory)

    # --- its life

    async def start(self) -> None:
        """Start all nodes on free ports and connect them by the topology; nothing is mined yet."""
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
        """Stop every node in order, and then the relay."""
        self.refresh()
        await self.leave()
        await self._stop_all([node.process for node in self.nodes])

    async def leave(self) -> None:
        """Leave the nodes running, and hang up on them; `attach` comes back, `take_down` ends them."""
        for node in self.nodes:
            await node.close()

    def kill_all(self) -> None:
        """End everything at once."""
        for node in self.nodes:
            node.process.kill()
        if self._relay is not None:
            self._relay.kill()

    def refresh(self) -> list[DevnetNode]:
        """Learn what was done from another shell; gives the nodes that run as new processes."""
        self._find_relay()
        replaced = []
        for node, record in zip(self.nodes, self.record.nodes, strict=True):
            node.record = record
            has_ended = not node.process.is_running  # and is collected, as only who started it can
            if has_ended and record.process not in (None, node.process.identity):
                process = NodeProcess(record.process, node.process.datadir)
                self.nodes[node.index] = DevnetNode(node.index, process, record)
                replaced.append(self.nodes[node.index])
        return replaced

    # --- links

    async def links(self) -> list[Link]:
        """All links as they are now. DevnetError where nobody relays them any more."""
        return await set_links(self.plan.directory)

    async def link(self, one: int, other: int) -> None:
        """Connect two nodes: make a link, or restore theirs."""
        await self._connect(((min(one, other), max(one, other)),))

    async def cut(self, one: int, other: int) -> None:
        """Cut the link of two nodes. DevnetError where they have none."""
        await self._revive_relay()
        link = wiring.find(await self.links(), one, other)
        await self._wire([msgspec.structs.replace(link, cut=True)])

    async def partition(self, groups: Iterable[Iterable[int]]) -> wiring.Groups:
        """Cut all links between groups of nodes, and restore those within; nodes that no group names are one more.
        Gives all groups. WrongNodesError where they overlap or name a node that is not there."""
        whole = wiring.complete(groups, self.plan.count)
        await self._revive_relay()
        before = await self.links()
        await self._change(before, wiring.partition(before, whole))
        return whole

    async def heal(self) -> bool:
        """Make all links whole and quick again; False where they were. Nodes that were paused or killed stay so."""
        await self._revive_relay()
        before = await self.links()
        after = wiring.heal(before)
        await self._change(before, after)
        return after != before

    async def lag(self, lag_ms: float, jitter_ms: float = 0.0, between: tuple[int, int] | None = None) -> None:
        """Hold bytes back on every link, or on that of two nodes: so long in each direction, and at most the jitter
        longer. WrongNodesError where a link cannot be so slow."""
        for index in between or ():
            wiring.check_index(index, self.plan.count)
        await self._revive_relay()
        await self._wire(wiring.slow(await self.links(), lag_ms, jitter_ms, between))

    # --- mining

    async def mine(self, indexes: Sequence[int] | None = None) -> None:
        """Let nodes mine, each to its own key; all that are awake by default."""
        awake = [node.index for node in self.nodes if node.is_awake]
        for index in awake if indexes is None else indexes:
            await self.nodes[index].client.call("setmining", node_address(self.plan.spec, index))
            self._record_node(index, mines=True)

    async def rest(self) -> None:
        """Let nobody mine any more."""
        for node in self.nodes:
            self._record_node(node.index, mines=False)
        await asyncio.gather(*(node.client.call("setmining", None) for node in self.nodes if node.is_awake))

    # --- accidents

    async def kill(self, index: int) -> None:
        """End one node as a power cut would. DevnetError where it does not run."""
        node = self._running(index)
        await node.close()
        self._record_node(index, killed=True)
        node.process.kill()
        await node.process.wait(KILL_TIMEOUT_S)

    async def pause(self, index: int) -> None:
        """Let one node stand still, connections and all. DevnetError where it does not run."""
        await self._running(index).process.pause()

    async def resume(self, index: int) -> None:
        """Let a node that was paused go on. DevnetError where it does not run."""
        self._running(index).process.resume()

    async def restart(self, index: int) -> None:
        """Start a node again on its old data and ports and with its links, mining if it did; one that still runs is
        stopped in order before."""
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
        """Put down what is new of a node."""
        record = change_record(self.plan.directory, lambda record: record.with_node(index, **changes)).nodes[index]
        if index < len(self.nodes):
            self.nodes[index].record = record
        return record

    def _start_relay(self) -> RelayProcess:
        relay = self._relay = RelayProcess.start(self.plan.directory)
        change_record(self.plan.directory, lambda record: msgspec.structs.replace(record, relay=relay.identity))
        return relay

    def _find_relay(self) -> RelayProcess | None:
        """The relay as it runs now: another shell may have started a new one."""
        if self._relay is None or not self._relay.is_running:
            self._relay = find_relay(self.record.relay)
        return self._relay

    async def _revive_relay(self) -> None:
        """Where the relay is gone, another one takes up its ports, with the links as they were."""
        if self._find_relay() is not None:
            return
        await self._start_relay().ready(self.plan.directory)
        await set_links(self.plan.directory, self.record.links)

    async def _wire(self, links: Iterable[Link]) -> list[Link]:
        """Tell the relay how links shall be; gives all as they are."""
        after = await set_links(self.plan.directory, links)
        change_record(self.plan.directory, lambda record: msgspec.structs.replace(record, links=after))
        return after

    async def _connect(self, pairs: Links) -> None:
        """Make links, or restore them, and have them dialled."""
        await self._revive_relay()
        there = {link.nodes: link for link in await self.links()}
        wanted = [there.get(pair) or Link(*pair, target=self.nodes[pair[0]].p2p) for pair in pairs]
        after = await self._wire(msgspec.structs.replace(link, cut=False) for link in wanted)
        await self._dial(link for link in after if link.nodes in pairs)
        await self._nudge(there[pair] for pair in pairs if pair in there)

    async def _change(self, before: Sequence[Link], after: Sequence[Link]) -> None:
        """Change links, and have those dialled at once that were cut and are no more."""
        await self._wire(after)
        await self._nudge(link for link, was in zip(after, before, strict=True) if was.cut and not link.cut)

    async def _dial(self, links: Iterable[Link]) -> None:
        """Have nodes keep connections over these links."""
        for link in links:
            await _unless(ALREADY_ADDED, self.nodes[link.other].client.call("addnode", link.dialled, "add"))

    async def _nudge(self, links: Iterable[Link]) -> None:
        """Have nodes dial these links now: by themselves they wait longer after each failure, up to half a minute."""
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
    """Make a call; one code says that it was not needed."""
    try:
        await call
    except RefusedError as error:
        if error.code != code:
            raise
