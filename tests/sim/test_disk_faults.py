"""Disk faults: full, torn, damaged and slow. Nothing that was announced as durable is lost, and damaged bodies
are fetched again from peers.

A seed that failed once stays in SEEDS. More of them: `pytest -m long tests/sim/test_disk_faults.py`.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest

from pychain.base.entropy import Random
from pychain.chain.hashes import hash_hex
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.store import Batch, DamagedBlockError
from pychain.node.events import NewTip, Notice
from pychain.sim.disk import COMMIT_NS, SLOW_FACTOR, Disk, DiskFaults
from pychain.sim.events import EventHeap
from pychain.sim.host import Host
from pychain.sim.world import World
from tests.store.batches import Series, counter
from tests.support.keys import dev_signer
from tests.support.networks import HASH_RATE, Payer, audit, end_mining, host_height, line_world, quick_spec

SEEDS = range(8)
LONG_SEEDS = range(200, 280)
ROUNDS = 15
FAULTS = DiskFaults(damage_s=15, tear_s=10, fill_s=60, full_for_s=10, slow_s=30, slow_for_s=10)
LOSSLESS = replace(FAULTS, damage_s=0, tear_s=0)
"""The faults of one disk in each world: a body damaged on all disks could not be fetched from anywhere."""


def announced(host: Host) -> bytes | None:
    """The tip that the host published last."""
    tips = [event.header.hash for event in host.events if isinstance(event, NewTip)]
    return tips[-1] if tips else None


def keeps(host: Host, tip: bytes | None) -> None:
    """The node has all that it announced, and its tip is no lighter."""
    if tip is not None:
        entry = host.node.queries.entry(tip)
        assert entry is not None
        assert host.store.has_body(tip)
        assert host.node.queries.tip.work >= entry.work


def chain(host: Host) -> list[bytes]:
    """The hashes of a host's blocks above genesis."""
    entries = [host.node.queries.at(height) for height in range(1, host_height(host) + 1)]
    return [entry.hash for entry in entries if entry is not None]


def is_whole(disk: Disk, block_hash: bytes) -> bool:
    """Whether the disk returns a body. Damage is not reported to the node."""
    try:
        return disk.store.body(block_hash) is not None
    except DamagedBlockError:
        return False


def read_all(host: Host) -> None:
    """Read a host's chain as through its API: damage is reported to the node."""
    for block_hash in chain(host):
        with suppress(DamagedBlockError):
            assert host.body(block_hash) is not None, f"a block of {host.name} is gone"


# --- one fault at a time


def test_a_full_disk_stops_the_node_on_its_durable_tip() -> None:
    world, (miner, follower) = line_world(1, 2)
    world.start()
    world.run_until(lambda: host_height(follower) >= 5, 300)
    follower.disk.fill()
    world.run_until(lambda: not follower.is_running, 300)
    assert "no space left" in (follower.fault or "")
    tip = announced(follower)
    assert follower.store.tip() == tip
    follower.start()
    assert follower.fault is None
    keeps(follower, tip)
    world.run_until(lambda: not follower.is_running, 300)
    assert "no space left" in (follower.fault or ""), "it is full still"
    assert follower.store.tip() == tip
    follower.disk.free()
    follower.start()
    keeps(follower, tip)
    height = host_height(miner)
    world.run_until(lambda: host_height(follower) > height, 300)
    end_mining(world, [miner, follower])
    audit(follower)


def test_a_damaged_body_comes_again_from_a_peer() -> None:
    world, (_, follower) = line_world(2, 2)
    world.start()
    world.run_until(lambda: host_height(follower) >= 8, 300)
    entry = follower.node.queries.at(3)
    assert entry is not None
    raw = follower.body(entry.hash)
    follower.disk.damage(entry.hash)
    with pytest.raises(DamagedBlockError):
        follower.body(entry.hash)
    world.run_until(lambda: is_whole(follower.disk, entry.hash), 60)
    assert follower.body(entry.hash) == raw
    told = [event.text for event in follower.events if isinstance(event, Notice)]
    assert told == [f"block 3 ({hash_hex(entry.hash)}) is damaged on the disk and will be fetched again"]


def test_a_damaged_body_is_found_when_a_peer_asks_for_it() -> None:
    """A restarted node has no block in memory: it finds the damage when it serves one, and repairs it."""
    world, (_, follower) = line_world(3, 2)
    world.start()
    world.run_until(lambda: host_height(follower) >= 8, 300)
    entry = follower.node.queries.at(3)
    assert entry is not None
    follower.crash()
    follower.disk.damage(entry.hash)
    follower.start()
    world.add("late", ["n1"]).start()
    late = world.hosts["late"]
    world.run_until(lambda: late.is_running and host_height(late) >= 8, 300)
    world.run_until(lambda: is_whole(follower.disk, entry.hash), 60)
    audit(late)


def test_damage_that_the_opening_finds_is_repaired_without_a_reader() -> None:
    world, (_, follower) = line_world(4, 2)
    world.start()
    world.run_until(lambda: host_height(follower) >= 3, 300)
    tip = follower.node.queries.tip
    follower.crash()
    follower.disk.damage(tip.hash)
    follower.start()
    assert [event.text for event in follower.events if isinstance(event, Notice)] == [
        f"block {tip.height} ({hash_hex(tip.hash)}) is damaged on the disk and will be fetched again"
    ]
    world.run_until(lambda: is_whole(follower.disk, tip.hash), 60)


def test_a_torn_commit_is_there_as_a_whole_or_not_at_all() -> None:
    """All results that a crash during a commit can have, with many seeds."""
    series, left = Series(), Counter[str]()
    for seed in range(60):
        disk = Disk(EventHeap(), seed, "host")
        disk.store.commit(series.batch(0))
        first, second = series.batch(1), series.batch(2)
        torn = Batch(
            bodies={**first.bodies, **second.bodies},
            index=(*first.index, *second.index),
            accounts=second.accounts,
            tip=second.tip,
            tables=second.tables,
        )
        disk.store.start(torn)
        disk.tear_next_crash()
        disk.crash()
        assert counter(disk.store) in (0, 2)
        bodies = [disk.store.has_body(block_hash) for block_hash in torn.bodies]
        if counter(disk.store) == 0:
            assert disk.store.tip() == series.batch(0).tip
            assert disk.store.damaged == ()
            left[f"absent, {sum(bodies)} bodies"] += 1
        else:
            assert disk.store.tip() == torn.tip
            assert all(bodies)
            left[f"whole, {len(disk.store.damaged)} damaged"] += 1
        disk.store.start(torn)
        disk.crash()
        assert disk.store.under_way == ()
    assert set(left) == {
        "absent, 0 bodies",
        "absent, 1 bodies",
        "absent, 2 bodies",
        "whole, 0 damaged",
        "whole, 1 damaged",
    }


def test_a_full_disk_never_makes_a_torn_commit_whole() -> None:
    series = Series()
    for seed in range(30):
        disk = Disk(EventHeap(), seed, "host")
        disk.fill()
        disk.store.start(series.batch(0))
        disk.tear_next_crash()
        disk.crash()
        assert disk.store.tip() is None


def test_a_slow_disk_delays_what_it_does() -> None:
    def committed_ns(slow: bool) -> int:
        world, (host,) = line_world(5, 1)
        if slow:
            host.disk.commit_ns = 50 * COMMIT_NS
        world.start()
        world.run_until(lambda: host_height(host) >= 1, 600)
        return world.heap.now_ns

    assert committed_ns(slow=True) > committed_ns(slow=False)


def test_a_schedule_slows_fills_tears_and_damages_and_ends() -> None:
    heap = EventHeap()
    disk = Disk(heap, 7, "host")
    for number in range(5):
        disk.store.commit(Series().batch(number))
    disk.schedule(DiskFaults(damage_s=1, fill_s=1, full_for_s=0.5, slow_s=1, slow_for_s=0.5))
    seen = Counter[str]()
    for _ in range(1_000):
        heap.step(heap.now_ns + 10_000_000)
        seen["full" if disk.store.full else "free"] += 1
        seen["slow" if disk.takes_ns(1) == SLOW_FACTOR else "fast"] += 1
    assert set(seen) == {"full", "free", "slow", "fast"}
    assert not all(is_whole(disk, block_hash) for block_hash in disk.store.stored())
    disk.calm()
    for _ in range(1_000):
        heap.step(heap.now_ns + 10_000_000)
        assert not disk.store.full
        assert disk.takes_ns(1) == 1


# --- all of them at once


def swarm(seed: int) -> tuple[World, list[Host], Random]:
    """3 to 6 hosts in a random connected graph, some of them miners, with disk faults by a schedule."""
    random = Random(seed * 6151 + 3)
    world = World(Rulebook(quick_spec()), seed)
    hosts: list[Host] = []
    for i in range(3 + random.below(4)):
        links = {random.below(i): None for _ in range(1 + random.below(2))} if i else {}
        hash_rate = 0 if i > 1 and random.below(3) == 0 else HASH_RATE
        host = world.add(f"n{i}", [f"n{j}" for j in links], mine_to=dev_signer(i).key, hash_rate=hash_rate)
        host.disk.schedule(FAULTS if i else LOSSLESS)
        hosts.append(host)
    return world, hosts, random


def restart(host: Host) -> None:
    """Restart as an operator would: the node comes back with all that it announced."""
    tip = announced(host)
    if host.is_running:
        host.crash()
    host.disk.free()
    host.start()
    keeps(host, tip)


def run(seed: int) -> World:
    world, hosts, random = swarm(seed)
    world.start()
    for _ in range(ROUNDS):
        world.run_for(1 + random.below(12))
        for host in hosts:
            if not host.is_running or random.below(4) == 0:
                restart(host)
        Payer(world, hosts[random.below(len(hosts))], random.below(10)).pay(2)
    for host in hosts:
        host.disk.calm()
        if not host.is_running:
            restart(host)
    end_mining(world, hosts)
    for host in hosts:
        read_all(host)
    world.run_until(lambda: all(is_whole(host.disk, each) for host in hosts for each in chain(host)), 600)
    for host in hosts:
        audit(host)
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_swarm_on_bad_disks(seed: int) -> None:
    run(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_swarm_on_bad_disks_long(seed: int) -> None:
    run(seed)


# --- determinism


def test_the_same_seed_has_the_same_faults() -> None:
    assert run(1).trace.hexdigest() == run(1).trace.hexdigest()


def test_draws_of_a_disk_leave_the_world_as_it_was() -> None:
    """A schedule whose first fault is after the end of the run changes nothing."""

    def digest(faults: DiskFaults | None) -> str:
        world, hosts = line_world(6, 3)
        for host in hosts:
            if faults is not None:
                host.disk.schedule(faults)
        world.start()
        world.run_for(60)
        return world.trace.hexdigest()

    assert digest(None) == digest(DiskFaults(damage_s=1e6, tear_s=1e6, fill_s=1e6, slow_s=1e6))
    assert digest(None) != digest(DiskFaults(slow_s=1))
