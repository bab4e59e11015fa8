"""Measure signature verification against its goals, compared with libsodium in a C loop.

Run: python bench/signatures.py [--json]

Ratios come from one run. One thread is measured by its own CPU time, alternating with libsodium's, and the median of
the rounds' ratios is shown, since a shared machine's speed drifts. Two threads can only be measured by wall time, the
fastest of many runs; a busy neighbour halves them, so the load is shown too. docs/signatures.md explains the rest.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from struct import pack
from typing import Any

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from pychain import native

MESSAGE_BYTES = 142  # what a transfer without a memo signs
BLOCK = 2_000
ROUNDS = 9
BLOCKS = 2  # that each thread of S2 verifies
FEW = 200  # signatures checked one at a time for one measurement
SIZES = (1, 8, 64, 256, 1_000, BLOCK)
KEYS = [crypto_sign_seed_keypair(i.to_bytes(32, "little")) for i in range(BLOCK)]
PUBLIC = [public for public, _ in KEYS]
MESSAGES = [os.urandom(MESSAGE_BYTES) for _ in range(BLOCK)]
SIGNATURES = [crypto_sign(message, secret)[:64] for message, (_, secret) in zip(MESSAGES, KEYS, strict=True)]
DOMAIN = b"what a chain's signatures cover first"


def signed_transfer(public: bytes, secret: bytes) -> bytes:
    """A transfer without a memo, as docs/consensus.md has it."""
    body = pack("<B32sQ32sQQH", 1, public, 0, PUBLIC[0], 1, 1, 0)
    return body + crypto_sign(DOMAIN + body, secret)[:64]


TRANSFERS = b"".join(signed_transfer(*pair) for pair in KEYS)
EDGES = array("I", range(0, len(TRANSFERS) + 1, len(TRANSFERS) // BLOCK))
SODIUM_LOOP = """
typedef unsigned char byte;
extern int crypto_sign_verify_detached(const byte *, const byte *, unsigned long long, const byte *);
long loop(const byte *keys, const byte *messages, const byte *signatures, long size, long count)
{
    long valid = 0;
    for (long i = 0; i < count; i++)
        valid += crypto_sign_verify_detached(signatures + 64 * i, messages + size * i, (unsigned long long)size,
                                             keys + 32 * i) == 0;
    return valid;
}
"""


def sodium_loop(directory: Path) -> Callable[[int], None]:
    """libsodium over this many signatures, in a loop in C."""
    found = ctypes.util.find_library("sodium")
    if found is None:
        raise SystemExit("libsodium's shared library is not installed")
    source, library = directory / "loop.c", directory / "loop.so"
    source.write_text(SODIUM_LOOP)
    command = [os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", str(source), "-o", str(library), f"-l:{found}"]
    subprocess.run(command, check=True)
    loop = ctypes.CDLL(str(library)).loop
    loop.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_long] * 2
    keys, messages, signatures = b"".join(PUBLIC), b"".join(MESSAGES), b"".join(SIGNATURES)

    def run(count: int) -> None:
        assert loop(keys, messages, signatures, MESSAGE_BYTES, count) == count

    return run


class Sodium:
    """The same loop on all cores: S2, the unit of the goals for whole nodes."""

    def __init__(self, directory: Path) -> None:
        self._loop = sodium_loop(directory)
        self._cores = len(os.sched_getaffinity(0))

    def rate(self) -> float:
        """Verifications a second on all cores together."""

        def work() -> None:
            for _ in range(BLOCKS):
                self._loop(BLOCK)

        threads = [threading.Thread(target=work) for _ in range(self._cores)]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._cores * BLOCKS * BLOCK / (time.perf_counter() - begin)


def openssl_loop() -> Callable[[int], None] | None:
    """OpenSSL through `cryptography`, if installed; its keys are loaded once."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None
    keys = [Ed25519PublicKey.from_public_bytes(key) for key in PUBLIC[:FEW]]

    def run(count: int) -> None:
        for i in range(count):
            keys[i].verify(SIGNATURES[i], MESSAGES[i])

    return run


def batch(size: int, signatures: list[bytes] = SIGNATURES, threads: int = 1) -> list[bool]:
    return native.verify_batch(PUBLIC[:size], MESSAGES[:size], signatures[:size], None, threads)


def singles(count: int) -> None:
    for i in range(count):
        assert native.verify(PUBLIC[i], MESSAGES[i], SIGNATURES[i])


def seconds(call: Callable[[], object], clock: Callable[[], float] = time.thread_time, repeats: int = 1) -> float:
    """Seconds of a call."""
    begin = clock()
    for _ in range(repeats):
        call()
    return (clock() - begin) / repeats


def ratio(call: Callable[[], object], size: int, baseline: Callable[[], object], baseline_size: int) -> float:
    """How many times faster a signature is than in the baseline: the median over rounds that alternate the two."""
    repeats = max(1, 300 // size)
    found = []
    for _ in range(ROUNDS):
        each = seconds(call, repeats=repeats) / size
        found.append(seconds(baseline) / baseline_size / each)
    return statistics.median(found)


def spoiled(bad: int) -> list[bytes]:
    """The signatures with one in `bad` damaged in S."""
    return [
        signature[:40] + bytes([signature[40] ^ 1]) + signature[41:] if i % bad == bad // 2 else signature
        for i, signature in enumerate(SIGNATURES)
    ]


def block(threads: int) -> None:
    """The signatures of a block's transfers, read in place."""
    assert native.verify_transfers(TRANSFERS, EDGES[:-1], EDGES[1:], DOMAIN, None, threads) == b"\1" * BLOCK


def threads_gain(call: Callable[[int], object]) -> float:
    """Two threads over one, by the clock."""
    fastest = {1: float("inf"), 2: float("inf")}
    for _ in range(8 * ROUNDS):
        for threads, so_far in fastest.items():
            fastest[threads] = min(so_far, seconds(partial(call, threads), time.perf_counter))
    return fastest[1] / fastest[2]


def measure_kernel(name: str, sodium: Callable[[int], None]) -> dict[str, Any]:
    """One row: times libsodium by signatures in a call, what bad ones cost against none, what a second thread gains."""
    native.use(name)
    baseline, many = partial(sodium, FEW), 1_000
    row: dict[str, Any] = {"name": name, "1": ratio(partial(singles, FEW), FEW, baseline, FEW)}
    for size in SIZES[1:]:
        assert all(batch(size))
        row[str(size)] = ratio(partial(batch, size), size, baseline, FEW)
    for label, bad in (("one_bad", many), ("all_bad", 1)):
        trial = spoiled(bad)
        assert batch(many, trial).count(False) == many // bad
        row[label] = 1 / ratio(partial(batch, many, trial), many, partial(batch, many), many)
    row["threads_gain"] = threads_gain(block)
    row["threads_gain_lists"] = threads_gain(lambda threads: batch(BLOCK, threads=threads))
    return row


def goals(rows: list[dict[str, Any]]) -> list[tuple[str, float, float, bool]]:
    """Each goal that applies to this machine: what is measured, the goal, the result, whether it is met."""
    found = []
    for row in rows:
        wide = row["name"] == "ed25519:ifma"
        least = [
            ("one signature over libsodium", 1.5 if wide else 1.0, row["1"]),
            ("batch of 256 over libsodium", 4.0, row["256"])
            if wide
            else ("batch of 64 over libsodium", 2.2, row["64"]),
            ("2,000 signatures of a block, two threads over one", 1.9, row["threads_gain"]),
        ]
        found += [(f"{row['name']}, {text}", asked, value, value >= asked) for text, asked, value in least]
        found.append((f"{row['name']}, one bad in 1,000 over none", 1.5, row["one_bad"], row["one_bad"] <= 1.5))
    return found


def report(result: dict[str, Any]) -> None:
    """The result as two tables."""
    print(f"{result['cpu']}, {result['compiler']}, load {result['load']:.2f}")
    print(f"libsodium {result['libsodium_us']:.1f} us a signature", end="")
    print(f", OpenSSL {result['openssl_us']:.1f} us\n" if result["openssl_us"] else "\n")
    print(
        f"{'times libsodium':<20}"
        + "".join(f"{size:>8,}" for size in SIZES)
        + f"{'one bad':>10}{'all bad':>9}{'threads':>9}{'of lists':>10}"
    )
    for row in result["rows"]:
        shown = "".join(f"{row[str(size)]:>8.2f}" for size in SIZES)
        gains = f"{row['threads_gain']:>9.2f}{row['threads_gain_lists']:>10.2f}"
        print(f"{row['name']:<20}{shown}{row['one_bad']:>10.2f}{row['all_bad']:>9.2f}{gains}")
    print()
    for text, asked, value, met in result["goals"]:
        print(f"{'met   ' if met else 'missed'} {text}: {value:.2f} of {asked:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    as_json = parser.parse_args().json
    names = [name for name in native.kernels() if name.startswith("ed25519:")]
    if not names:
        raise SystemExit(native.fallback_reason or "the C core has no kernel for signatures here")
    with tempfile.TemporaryDirectory() as directory:
        sodium, openssl = sodium_loop(Path(directory)), openssl_loop()
        rows = [measure_kernel(name, sodium) for name in names]
        result = {
            "cpu": native.cpu().name,
            "features": native.cpu().features,
            "compiler": native.cpu().compiler,
            "load": os.getloadavg()[0],
            "libsodium_us": 1e6 * min(seconds(lambda: sodium(FEW)) for _ in range(ROUNDS)) / FEW,
            "openssl_us": 1e6 * min(seconds(lambda: openssl(FEW)) for _ in range(ROUNDS)) / FEW if openssl else None,
            "rows": rows,
            "goals": goals(rows),
        }
    print(json.dumps(result)) if as_json else report(result)


if __name__ == "__main__":
    main()
