"""Measure the native kernels against their goals and against the limit that their operation count sets.

Run: python bench/kernels.py [--json]

One core, thread CPU time, the best of several repeats, all ratios from the same run. The cycle is measured by a chain
of dependent additions, the throughput of vector operations by independent ones (ports.c, compiled here), and the
operations that a nonce costs are counted by csrc/generate.py; docs/kernels.md explains the bounds.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from struct import pack
from types import ModuleType
from typing import Any

from pychain import native
from pychain.native import reference

BENCH = Path(__file__).resolve().parent
HEADER = bytes(range(80))
NO_TARGET = 0
REPEATS = 7
THREAD_REPEATS = 25  # a neighbour on either core spoils a repeat
SHORT_CALLS = 2_000
LEAVES = os.urandom(32 * 10_000)
TRANSFERS = os.urandom(155 * 10_000)
TRANSFER_OFFSETS = array("I", range(0, 155 * 10_001, 155))
HEADERS = os.urandom(80 * 2_000)
SHA_ROUNDS_A_NONCE = 61  # sha256rnds2 that a nonce costs with the SHA extensions


def shortest(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Thread seconds of the fastest of a few calls."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.thread_time()
        call()
        best = min(best, time.thread_time() - begin)
    return best


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", BENCH.parent / "csrc" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def operations() -> dict[str, tuple[float, float]]:
    """Vector operations of a batch by instruction set: for one version, and for each of many that share a schedule."""
    generate = generator()
    programs = generate.lane_programs(generate.Prologue())
    counts = {}
    for isa, costs in generate.COSTS.items():
        count = {name: generate.operations(lines, costs) for name, (_, lines) in programs.items()}
        alone = count["search_first"] + count["search_second"]
        shared = count["search_rounds"] + count["search_second"] + count["search_schedule"] / native.MAX_VERSIONS
        counts[isa] = (alone, shared)
    return counts


def ports() -> dict[str, float]:
    """Nanoseconds of a cycle, vector operations a cycle, and cycles of a sha256rnds2, as far as this CPU has them."""
    features = native.cpu().features
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory) / "ports.so"
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", str(BENCH / "ports.c"), "-o", str(library)], check=True)
        measure = ctypes.CDLL(str(library))

        def nanoseconds(name: str, block: int) -> float:
            function = measure[name]
            function.restype, function.argtypes = ctypes.c_double, [ctypes.c_uint64]
            return float(min(function(100_000) for _ in range(5 * REPEATS))) / block

        cycle = nanoseconds("cycles_64", 64)
        found = {"cycle_ns": cycle}
        if "avx512f" in features:
            found["avx512"] = cycle / nanoseconds("avx512_32", 32)
        if "avx2" in features:
            found["avx2"] = cycle / nanoseconds("avx2_32", 32)
        if "sha_ni" in features:
            found["sha256rnds2"] = nanoseconds("sha256rnds2_8", 8) / cycle
        return found


def hashlib_loop(count: int = 100_000) -> float:
    """Seconds per nonce in the obvious loop."""
    h76, target = HEADER[:76], NO_TARGET

    def loop() -> None:
        for nonce in range(count):
            digest = hashlib.sha256(hashlib.sha256(h76 + pack("<I", nonce)).digest()).digest()
            if int.from_bytes(digest, "little") <= target:
                print(nonce)

    return shortest(loop) / count


def search_seconds(versions: int, count: int) -> float:
    """Thread seconds of a hash in a search under so many versions."""
    if versions == 1:
        return shortest(lambda: native.search(HEADER, NO_TARGET, 0, count)) / count
    nonces = count // versions
    return shortest(lambda: native.search_rolling(HEADER, range(versions), NO_TARGET, 0, nonces)) / (nonces * versions)


def threads_gain(count: int) -> float:
    """Nonces per second of two threads over those of one, by wall time; it needs two idle cores."""

    def wall(threads: int) -> float:
        work = [threading.Thread(target=native.search, args=(HEADER, NO_TARGET, 0, count)) for _ in range(threads)]
        begin = time.perf_counter()
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        return time.perf_counter() - begin

    times = [(wall(1), wall(2)) for _ in range(THREAD_REPEATS)]
    return 2 * min(one for one, _ in times) / min(two for _, two in times)


def call_seconds() -> float:
    """Thread seconds of the shortest search: one nonce."""

    def short() -> None:
        for _ in range(SHORT_CALLS):
            native.search(HEADER, NO_TARGET, 0, 1)

    return shortest(short) / SHORT_CALLS


def bounds(name: str, units: dict[str, float]) -> tuple[float, float] | None:
    """Least cycles a hash, for one version and for many; what the CPU's units do in a cycle is a whole number."""
    for isa, lanes in (("avx512", 16), ("avx2", 8)):
        if name.startswith(f"sha256:{isa}"):
            alone, shared = operations()[isa]
            a_cycle = round(units[isa]) * lanes
            return alone / a_cycle, shared / a_cycle
    if name == "sha256:shani":
        return (SHA_ROUNDS_A_NONCE * round(units["sha256rnds2"]),) * 2
    return None


BULK: dict[str, Callable[[ModuleType], object]] = {
    "merkle": lambda door: door.merkle_root(LEAVES),
    "txids": lambda door: door.sha256d_many(TRANSFERS, TRANSFER_OFFSETS),
    "headers": lambda door: door.sha256d_records(HEADERS, 80),
}


def measure_kernel(name: str, units: dict[str, float], loop: float, bulk: dict[str, float]) -> dict[str, Any]:
    """One row: search in MH/s, as a multiple of the loop and as a share of the bound; bulk hashing against hashlib."""
    native.use(name)
    count = 2**19 if name == "sha256:portable" else 2**22
    seconds = {versions: search_seconds(versions, count) for versions in (1, native.MAX_VERSIONS)}
    row: dict[str, Any] = {"name": name}
    for index, (versions, each) in enumerate(seconds.items()):
        limits = bounds(name, units)
        row[f"mhs_{versions}"] = 1e-6 / each
        row[f"times_loop_{versions}"] = loop / each
        row[f"cycles_{versions}"] = 1e9 * each / units["cycle_ns"]
        row[f"of_bound_{versions}"] = limits[index] / row[f"cycles_{versions}"] if limits else None
    for job, call in BULK.items():
        row[job] = bulk[job] / shortest(partial(call, native))
    row["call_us"] = 1e6 * call_seconds()
    row["threads_gain"] = threads_gain(count // 4)
    return row


def goals(rows: list[dict[str, Any]], units: dict[str, float]) -> list[tuple[str, float, float]]:
    """Each goal that applies to this machine: what is measured, the goal, the result."""
    by_name = {row["name"]: row for row in rows}
    found = [
        ("two threads over one, default kernel", 1.9, rows[0]["threads_gain"]),
        ("5 us over a short search, default kernel", 1.0, 5 / rows[0]["call_us"]),
    ]
    wide = [row for row in rows if row["name"].startswith("sha256:avx512")]
    if wide:
        best = max(wide, key=lambda row: row["mhs_1"])
        at_four = operations()["avx512"][0] / 16 / 4 / best["cycles_1"]
        rolled = max(row[f"times_loop_{native.MAX_VERSIONS}"] for row in wide)
        found += [
            ("AVX-512 over the hashlib loop, one version", 45, best["times_loop_1"]),
            (f"AVX-512 over the hashlib loop, {native.MAX_VERSIONS} versions", 45, rolled),
            ("AVX-512, share of the bound at 4 operations a cycle", 0.85, at_four),
            (f"AVX-512, share of the bound at this CPU's {round(units['avx512'])}", 0.85, best["of_bound_1"]),
            ("AVX-512, merkle root of 10,000 over hashlib", 20, best["merkle"]),
        ]
    if "sha256:shani" in by_name:
        row = by_name["sha256:shani"]
        at_two = 2 * SHA_ROUNDS_A_NONCE / row["cycles_1"]
        found += [
            ("SHA-NI over the hashlib loop", 17, row["times_loop_1"]),
            ("SHA-NI, share of the bound at 2 cycles a sha256rnds2", 0.9, at_two),
            (f"SHA-NI, share of the bound at this CPU's {round(units['sha256rnds2'])}", 0.9, row["of_bound_1"]),
            ("SHA-NI, merkle root of 10,000 over hashlib", 8, row["merkle"]),
        ]
    return found


def report(result: dict[str, Any]) -> None:
    """The result as two tables."""
    many = native.MAX_VERSIONS
    print(f"{result['cpu']}, {result['compiler']}, load {result['load']:.2f}")
    print(", ".join(f"{name} {value:.3f}" for name, value in result["units"].items()))
    print(f"hashlib loop {result['loop_mhs']:.3f} MH/s\n")
    print(
        f"{'kernel':<22}{'MH/s':>8}{'x loop':>8}{'bound':>7}{f'{many} ver.':>9}{'x loop':>8}{'bound':>7}"
        f"{'merkle':>8}{'txids':>7}{'headers':>9}{'call us':>9}{'threads':>9}"
    )
    for row in result["rows"]:
        shares = [f"{row[f'of_bound_{n}']:.0%}" if row[f"of_bound_{n}"] else "" for n in (1, many)]
        print(
            f"{row['name']:<22}{row['mhs_1']:>8.2f}{row['times_loop_1']:>8.1f}{shares[0]:>7}"
            f"{row[f'mhs_{many}']:>9.2f}{row[f'times_loop_{many}']:>8.1f}{shares[1]:>7}"
            f"{row['merkle']:>8.1f}{row['txids']:>7.1f}{row['headers']:>9.1f}"
            f"{row['call_us']:>9.2f}{row['threads_gain']:>9.2f}"
        )
    print()
    for text, asked, found in result["goals"]:
        print(f"{'met   ' if found >= asked else 'missed'} {text}: {found:.2f} of {asked:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    as_json = parser.parse_args().json
    if not native.compiled:
        raise SystemExit(native.fallback_reason)
    units, loop = ports(), hashlib_loop()
    bulk = {job: shortest(partial(call, reference)) for job, call in BULK.items()}
    rows = [measure_kernel(name, units, loop, bulk) for name in native.kernels() if name.startswith("sha256:")]
    cpu = native.cpu()
    result = {
        "cpu": cpu.name,
        "features": cpu.features,
        "compiler": cpu.compiler,
        "load": os.getloadavg()[0],
        "units": units,
        "loop_mhs": 1e-6 / loop,
        "rows": rows,
        "goals": goals(rows, units),
    }
    print(json.dumps(result)) if as_json else report(result)


if __name__ == "__main__":
    main()
