"""The daemon: a node with its store, sockets, threads and API, assembled, started and stopped in order.

`run` runs one from settings to exit code.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
import sys
import time
from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING, Any

from pychain import __version__, native
from pychain.api.context import Context
from pychain.api.hub import EventHub
from pychain.api.meters import Meters
from pychain.base.errors import PychainError
from pychain.chain.block import Block
from pychain.chain.hashes import hash_hex
from pychain.daemon.backend import DaemonBackend, LoopSignal, ThisMachine, prune_height
from pychain.daemon.datadir import DataDirectory, Ready
from pychain.daemon.engine import Engine, disk_limits
from pychain.daemon.identity import load_identity, peer_id
from pychain.daemon.interpreter import ANSWERING
from pychain.daemon.listeners import bind_listeners
from pychain.daemon.log import log_event, set_up_log, take_down_log
from pychain.daemon.loop import loop_factory
from pychain.daemon.miner import Miner
from pychain.daemon.resolver import resolve
from pychain.daemon.rlimit import raise_descriptor_limit
from pychain.daemon.settings import Settings, unknown_variables
from pychain.daemon.transport import Transport
from pychain.daemon.watchdog import LoopWatchdog
from pychain.daemon.web import ApiServer
from pychain.daemon.workers import default_verifiers
from pychain.node.config import NodeConfig
from pychain.node.effects import (
    Dial,
    Effect,
    HangUp,
    Publish,
    Resolve,
    Send,
    StartMining,
    StopMining,
)
from pychain.node.inputs import BlockMined, BodyDamaged, Input, Start, Stop
from pychain.p2p.limits import MAX_INBOUND, MAX_MANUAL, MAX_OUTBOUND
from pychain.p2p.netaddress import NetAddress
from pychain.system.entropy import SystemEntropy

if TYPE_CHECKING:
    from pychain.daemon.live import LiveView
    from pychain.daemon.stratum.server import StratumServer

_log = logging.getLogger(__name__)

LOG_FILE = "node.log"
STOP_TIMEOUT_S = 60.0
"""Time for the node to stop cleanly: one commit on a slow disk, with plenty to spare."""
MAX_CONNECTIONS = MAX_INBOUND + MAX_OUTBOUND + MAX_MANUAL + 64
"""The node's own slots, and new connections to choose from when it evicts."""
STRATUM_SHARE = 4
"""Miners use at most every fourth descriptor."""
API_SHARE = 2
"""API clients use at most every second one."""
COOKIE_BYTES = 32
"""Random bytes of the password in `.cookie`, as in Core."""
RESERVED_DESCRIPTORS = 128
"""Descriptors reserved for store, log, API and loop."""


def run(settings: Settings) -> int:
    """Run a node until it is told to stop. Returns the exit code: 0, or 1 with one line on standard error."""
    try:
        directory = DataDirectory(settings.datadir)
        try:
            fault = _run_logged(settings, directory)
        finally:
            directory.close()
    except PychainError as error:
        fault = str(error)
    except OSError as error:
        fault = error.strerror or str(error)
    except KeyboardInterrupt:  # before the daemon installed its signal handlers
        fault = None
    if fault is None:
        return 0
    print(f"pychain: {fault}", file=sys.stderr)
    return 1


def _run_logged(settings: Settings, directory: DataDirectory) -> str | None:
    """Run with the log: with the live view it goes to a file, else to standard error."""
    live = settings.options.live and sys.stdout.isatty()
    file = directory.path / LOG_FILE if live else None
    handler = set_up_log(settings.options.log_level, settings.options.log_format, file)
    try:
        ANSWERING.begin()
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            fault = runner.run(_serve(settings, directory, live))
        if fault is not None and live:
            _log.error("%s", fault)
        return fault
    finally:
        take_down_log(handler)


async def _serve(settings: Settings, directory: DataDirectory, live: bool) -> str | None:
    """Run one node on the loop. Returns None after a clean stop, or a line with the reason."""
    async with AsyncExitStack() as stack:
        daemon = Daemon(settings, directory, stack)
        await daemon.start()
        async with _live_view(daemon.context) if live else nullcontext():
            await daemon.until_told()
        return await daemon.end()


class Daemon:
    """The parts of one node. Everything opened is pushed on `stack`, which closes it in reverse order."""

    def __init__(self, settings: Settings, directory: DataDirectory, stack: AsyncExitStack) -> None:
        """Open the store and bind the ports. ConfigError or OSError with one line if that fails."""
        self._settings = settings
        self._directory = directory
        self._stack = stack
        self._loop = asyncio.get_running_loop()
        self._stop_wanted = asyncio.Event()
        self._lookups: dict[asyncio.Task[None], None] = {}
        self._loop.set_exception_handler(_log_stray)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._on_signal)
        identity = load_identity(directory.path, SystemEntropy())
        descriptors = raise_descriptor_limit()
        self._api_room = descriptors // API_SHARE
        self._listeners = self._bind(settings.listen, settings.p2p_port)
        (self._api_listener,) = self._bind((settings.options.api_host,), settings.api_port)
        self._stratum_listener = self._bind_stratum(settings)
        bound = tuple(NetAddress.observed(*listener.getsockname()[:2]) for listener in self._listeners)
        room = max(descriptors - RESERVED_DESCRIPTORS, descriptors // 2)
        self._transport = Transport(self._feed, min(MAX_CONNECTIONS, room))
        meters = Meters()
        self._events = EventHub(LoopSignal)
        verifiers = settings.options.verify_threads or default_verifiers()
        config = _node_config(settings, bound)
        limits = disk_limits(settings.options)
        engine = Engine(
            directory.path, config, verifiers, limits, stack, meters, self._carry, ANSWERING, self._transport.hold_all
        )
        for damage in engine.store.damaged:
            _log.warning("%s", damage)
        self._engine = engine
        self._driver = engine.driver
        self._miner = Miner(settings.options.threads, engine.clock, self._mined, self._failed_elsewhere)
        self._watchdog = LoopWatchdog(self._loop, meters.lag.observe)
        self._stratum = self._stratum_server(descriptors // STRATUM_SHARE)
        machine = ThisMachine(
            node_id=peer_id(identity.verify_key.encode()),
            agent=config.agent,
            addresses=bound,
            started_ns=time.monotonic_ns(),
            miner=self._miner,
            stratum=self._stratum,
            meters=meters,
            transport=self._transport,
            stop=self._stop_wanted.set,
            prune_height=prune_height(engine),
        )
        self.context = Context(DaemonBackend(engine, self._events, machine))

    def _bind(self, hosts: tuple[str, ...], port: int) -> list[socket.socket]:
        listeners = bind_listeners(hosts, port)
        for listener in listeners:
            self._stack.callback(listener.close)
        return listeners

    def _stratum_server(self, room: int) -> StratumServer | None:
        """The Stratum server, if there is one."""
        if self._stratum_listener is None:
            return None
        from pychain.daemon.stratum.server import StratumServer  # most nodes have none, and start faster

        engine = self._engine
        return StratumServer(engine.node.queries, engine.driver.ask, self._events, engine.clock, room)

    def _bind_stratum(self, settings: Settings) -> socket.socket | None:
        port = settings.options.stratum_port
        return None if port is None else self._bind((settings.options.stratum_host,), port)[0]

    async def start(self) -> None:
        """Start the node and its API, and write `ready.json`."""
        for name in unknown_variables():
            _log.warning("%s is set, but is not a setting of a node", name)
        if native.fallback_reason is not None:
            _log.warning("%s", native.fallback_reason)
        gc.freeze()  # the loaded index stays: full collections would only scan it in vain and block the loop
        self._events.listen(log_event)
        self._watchdog.start()
        self._stack.callback(self._watchdog.stop)
        self._stack.push_async_callback(self._engine.workers.close)
        self._stack.callback(self._miner.close)
        self._stack.push_async_callback(self._transport.close, "this node is stopping")
        self._stack.push_async_callback(self.end)
        self._driver.feed(Start())
        for damage in self._engine.store.damaged:
            self._driver.feed(BodyDamaged(damage.block_hash))
        await self._transport.serve(self._listeners)
        cookie = secrets.token_hex(COOKIE_BYTES)
        self._directory.write_cookie(cookie)
        api = ApiServer(self._settings, self.context, cookie, self._api_room)
        await api.start(self._api_listener)
        self._stack.push_async_callback(api.close)
        self._stack.callback(self._events.close)
        if self._stratum is not None and self._stratum_listener is not None:
            await self._stratum.start(self._stratum_listener)
            self._stack.push_async_callback(self._stratum.close)
        self._directory.announce(self._ready())
        machine = self.context.machine
        _log.info("node %s on '%s' is ready (%s)", machine.node_id, self._settings.spec.name, native.kernel)
        _log.info("peers connect to %s", ", ".join(address.host_port for address in machine.addresses) or "nothing")

    async def until_told(self) -> None:
        """Wait until the node is told to stop, or has ended by itself."""
        wanted = self._loop.create_task(self._stop_wanted.wait())
        await asyncio.wait((wanted, self._driver.ended), return_when=asyncio.FIRST_COMPLETED)
        wanted.cancel()

    async def end(self) -> str | None:
        """Let the node say goodbye and save its tables, unless it has ended. Returns a line if something failed."""
        ended = self._driver.ended
        if not ended.done():
            _log.info("stopping")
            self._driver.feed(Stop())
            await asyncio.wait((ended,), timeout=STOP_TIMEOUT_S)
        if not ended.done():
            self._driver.fail(TimeoutError(f"the node did not stop within {STOP_TIMEOUT_S:.0f} s"))
        return ended.result()

    def _on_signal(self) -> None:
        """The first signal stops the node cleanly; a second one gets the system's default and kills it."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        self._stop_wanted.set()

    # --- the node's inputs and effects

    def _feed(self, event: Input) -> None:
        self._driver.feed(event)

    def _mined(self, block: Block) -> None:
        """On a mining thread."""
        self._loop.call_soon_threadsafe(self._feed, BlockMined(block.raw))

    def _failed_elsewhere(self, error: BaseException) -> None:
        """On a mining thread."""
        self._loop.call_soon_threadsafe(self._driver.fail, error)

    def _carry(self, effect: Effect) -> None:
        match effect:
            case Send(peer, data):
                self._transport.send(peer, data)
            case Publish(event):
                self._events.publish(event)
            case HangUp(peer, reason):
                self._transport.hang_up(peer, reason)
            case Dial(endpoint):
                self._transport.dial(endpoint)
            case Resolve(name, port):
                self._look_up(name, port)
            case StartMining(template, recipient):
                self._miner.start(template, recipient)
            case StopMining():
                self._miner.stop()
            case _:
                raise AssertionError("the driver and the engine handle the others")

    def _look_up(self, name: str, port: int) -> None:
        async def look_up() -> None:
            self._feed(await resolve(name, port))

        task = self._loop.create_task(look_up())
        self._lookups[task] = None
        task.add_done_callback(self._lookups.pop)

    def _ready(self) -> Ready:
        machine = self.context.machine
        return Ready(
            pid=os.getpid(),
            version=__version__,
            network=self._settings.spec.name,
            genesis=hash_hex(self._settings.spec.genesis_hash),
            node_id=machine.node_id,
            p2p=_reachable(machine.addresses[0]) if machine.addresses else "",
            api=f"http://{_local(self._api_listener)}",
            stratum=None if self._stratum_listener is None else _local(self._stratum_listener),
        )


def _live_view(context: Context) -> LiveView:
    from pychain.daemon.live import (
        LiveView,  # its library is slow to import: a node without a terminal starts without it
    )

    return LiveView(context)


def _node_config(settings: Settings, bound: tuple[NetAddress, ...]) -> NodeConfig:
    return NodeConfig(
        rulebook=settings.load_rulebook(),
        listen_port=bound[0].port if bound else 0,
        connect=settings.connect,
        connect_only=settings.options.connect_only,
        ping_interval_s=settings.options.ping_interval_s,
        seeds=settings.seeds,
        mine_to=settings.mine_to,
        mine_interval_s=settings.options.mine_interval_s,
        mempool=settings.mempool,
    )


def _reachable(address: NetAddress) -> str:
    """An address to connect to from this machine: loopback instead of "all interfaces"."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    return NetAddress(host, address.port).host_port


def _local(listener: socket.socket) -> str:
    """`_reachable` for a bound socket."""
    return _reachable(NetAddress.observed(*listener.getsockname()[:2]))


def _log_stray(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an exception that the loop caught in a callback or a task."""
    _log.error("in the event loop: %s", context["message"], exc_info=context.get("exception"))
