"""The metric families of a node, by the naming rules of Prometheus: base units, `_total` for counters."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from pychain import __version__, native
from pychain.api.backend import Stratum
from pychain.api.context import Context
from pychain.api.meters import Distribution
from pychain.api.methods.mining import network_hash_rate
from pychain.api.views.targets import difficulty
from pychain.base.time import NS
from pychain.chain.hashes import hash_hex
from pychain.http.message import Counters
from pychain.p2p.messages import type_name
from pychain.p2p.peer import Traffic

MAX_WORKERS_SHOWN = 100
"""Workers shown singly, those with the highest rates: miners choose their names, and each is a handful of series."""


def families(context: Context, counters: Counters) -> Iterator[Metric]:
    """All families, with their current values."""
    yield from _chain(context)
    yield from _peers(context)
    yield from _mempool(context)
    yield from _work(context)
    yield from _mining(context)
    if (server := context.machine.stratum) is not None:
        yield from _stratum(server, context.clock.mono_ns())
    yield from _api(context, counters)


def _chain(context: Context) -> Iterator[Metric]:
    queries, events = context.queries, context.events
    tip, sync = queries.tip, queries.sync()
    about = {
        "version": __version__,
        "network": queries.spec.name,
        "genesis": hash_hex(queries.spec.genesis_hash),
        "kernel": native.kernel,
    }
    yield InfoMetricFamily("pychain_build", "The node, its network and its kernels.", about)
    yield _gauge("pychain_uptime_seconds", "Time since the node started.", context.uptime_ns() / NS)
    yield _gauge("pychain_block_height", "Height of the durable tip.", tip.height)
    yield _gauge("pychain_header_height", "Height of the best header.", sync.headers)
    yield _gauge("pychain_tip_timestamp_seconds", "Time in the tip's header.", tip.header.time)
    yield _gauge("pychain_difficulty", "Difficulty relative to Bitcoin's easiest target.", difficulty(tip.header.bits))
    yield _gauge("pychain_sync_progress_ratio", "Share of the best header's work that is connected.", sync.progress)
    yield _gauge("pychain_syncing", "1 while the tip is well behind the best header.", sync.behind)
    if (left := context.forecast.seconds_left()) is not None:
        yield _gauge("pychain_sync_remaining_seconds", "Until the best header, at the last minute's speed.", left)
    yield _gauge("pychain_blocks_in_flight", "Blocks requested from peers and not yet received.", sync.in_flight)
    yield _gauge("pychain_blocks_verifying", "Blocks under verification.", sync.verifying)
    yield _counter("pychain_blocks_connected", "Blocks that joined the active chain.", events.connected)
    yield _counter("pychain_blocks_disconnected", "Blocks that left the active chain.", events.disconnected)
    refused = CounterMetricFamily("pychain_blocks_refused", "Blocks found invalid, by rule.", labels=["rule"])
    _add(refused, events.refused)
    yield refused
    depths = HistogramMetricFamily("pychain_reorg_depth_blocks", "Blocks disconnected by a reorganisation.")
    _observe(depths, [], events.reorganisations, 1)
    yield depths


def _peers(context: Context) -> Iterator[Metric]:
    queries = context.queries
    peers = GaugeMetricFamily("pychain_peers", "Peers whose handshake is complete.", labels=["direction"])
    ready = [peer for peer in queries.peers() if peer.hello is not None]
    inbound = sum(peer.inbound for peer in ready)
    peers.add_metric(["inbound"], inbound)
    peers.add_metric(["outbound"], len(ready) - inbound)
    yield peers
    transferred = CounterMetricFamily("pychain_peer_bytes", "Bytes exchanged with peers.", labels=["direction"])
    messages = CounterMetricFamily(
        "pychain_peer_messages", "Messages exchanged with peers.", labels=["direction", "type"]
    )
    traffic: Mapping[str, Traffic] = {"received": queries.received(), "sent": queries.sent()}
    for direction, counted in traffic.items():
        transferred.add_metric([direction], counted.bytes)
        for kind, count in counted.messages.items():
            messages.add_metric([direction, type_name(kind)], count)
    yield transferred
    yield messages
    refused = context.machine.refused_connections
    yield _counter("pychain_peer_connections_refused", "Connections closed because there was no room.", refused)
    yield _gauge("pychain_known_addresses", "Known addresses of nodes.", queries.known_addresses())
    yield _gauge("pychain_banned_networks", "Current bans.", len(queries.bans(context.clock.now())))


def _mempool(context: Context) -> Iterator[Metric]:
    mempool, events = context.queries.mempool, context.events
    yield _gauge("pychain_mempool_transfers", "Transfers in the mempool.", len(mempool))
    yield _gauge("pychain_mempool_bytes", "Their bytes.", mempool.bytes)
    yield _gauge("pychain_mempool_fees", "Their fees, in base units.", mempool.fees)
    yield _gauge("pychain_mempool_limit_bytes", "Bytes that the mempool may hold.", mempool.limits.max_bytes)
    yield _counter("pychain_transfers_accepted", "Transfers that entered the mempool.", events.accepted)
    dropped = CounterMetricFamily(
        "pychain_transfers_dropped", "Transfers that left the mempool without being mined.", labels=["reason"]
    )
    _add(dropped, events.dropped)
    yield dropped


def _work(context: Context) -> Iterator[Metric]:
    meters = context.machine.meters
    checks = HistogramMetricFamily("pychain_verify_seconds", "Verification jobs on threads.", labels=["kind"])
    _observe(checks, ["blocks"], meters.block_checks, NS)
    _observe(checks, ["transfers"], meters.transfer_checks, NS)
    yield checks
    for name, text, distribution in (
        ("pychain_commit_seconds", "Durable commits to the store.", meters.commits),
        ("pychain_turn_seconds", "Turns of the node: one input and its effects.", meters.turns),
        ("pychain_loop_lag_seconds", "How late the event loop runs a timer.", meters.lag),
    ):
        family = HistogramMetricFamily(name, text)
        _observe(family, [], distribution, NS)
        yield family


def _mining(context: Context) -> Iterator[Metric]:
    miner = context.machine.miner
    yield _gauge("pychain_mining_threads", "Threads that mine.", miner.threads if miner.template is not None else 0)
    yield _gauge("pychain_mining_hashes_per_second", "This node's hash rate.", miner.hash_rate())
    yield _counter("pychain_mining_hashes", "Hashes tried by this node.", miner.hashes)
    rate = network_hash_rate(context.queries.tip)
    yield _gauge("pychain_network_hashes_per_second", "The network's hash rate, from its last blocks.", rate)


def _stratum(server: Stratum, now_ns: int) -> Iterator[Metric]:
    total = server.registry.total
    yield _gauge("pychain_stratum_connections", "Connections of miners.", len(server.sessions))
    shares = CounterMetricFamily("pychain_stratum_shares", "Shares by result.", labels=["result"])
    shares.add_metric(["accepted"], total.accepted)
    for code, count in total.rejected.items():
        shares.add_metric([code.name.lower()], count)
    yield shares
    yield _counter("pychain_stratum_blocks", "Blocks found by miners that became the tip.", total.blocks)
    rates = GaugeMetricFamily(
        "pychain_stratum_worker_hashes_per_second", "Hash rate of each worker, from its shares.", labels=["worker"]
    )
    by_worker = CounterMetricFamily(
        "pychain_stratum_worker_shares", "Shares of each worker.", labels=["worker", "result"]
    )
    measured = ((worker.tally.meter.rate(now_ns), worker) for worker in server.registry.workers)
    for rate, worker in heapq.nlargest(MAX_WORKERS_SHOWN, measured, key=lambda pair: pair[0]):
        rates.add_metric([worker.user], rate)
        by_worker.add_metric([worker.user, "accepted"], worker.tally.accepted)
        by_worker.add_metric([worker.user, "rejected"], sum(worker.tally.rejected.values()))
    yield rates
    yield by_worker


def _api(context: Context, counters: Counters) -> Iterator[Metric]:
    calls = context.calls
    durations = HistogramMetricFamily(
        "pychain_api_request_seconds", "API calls and reads until the answer was ready.", labels=["method"]
    )
    failed = CounterMetricFamily("pychain_api_errors", "API calls and reads answered with an error.", labels=["method"])
    for name, distribution in calls.durations.items():
        _observe(durations, [name], distribution, NS)
        failed.add_metric([name], calls.errors.get(name, 0))
    yield durations
    yield failed
    responses = CounterMetricFamily("pychain_http_responses", "HTTP responses by status.", labels=["code"])
    _add(responses, {str(status): count for status, count in counters.responses.items()})
    yield responses
    yield _gauge("pychain_http_connections", "Open connections to the API.", len(counters.connections))
    yield _gauge("pychain_event_listeners", "Listeners of server-sent events.", len(context.broadcaster.listeners))


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=float(value))


def _add(family: CounterMetricFamily, counts: Mapping[str, int]) -> None:
    for label, count in counts.items():
        family.add_metric([label], count)


def _observe(family: HistogramMetricFamily, labels: list[str], distribution: Distribution, unit: int) -> None:
    buckets = [("+Inf" if bound is None else str(bound / unit), count) for bound, count in distribution.cumulative()]
    family.add_metric(labels, buckets=buckets, sum_value=distribution.total / unit)
