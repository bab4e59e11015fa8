"""Entropy for simulated nodes: random to a node, deterministic for a seed."""

from __future__ import annotations

from pychain import native


class SeededEntropy:
    """SHA-256d in counter mode over a seed and a stream name."""

    def __init__(self, seed: int, stream: str) -> None:
        self._key = native.sha256d(f"{seed}/{stream}".encode())
        self._counter = 0

    def bytes(self, count: int) -> bytes:
        out = b""
        while len(out) < count:
            out += native.sha256d(self._key + self._counter.to_bytes(8, "little"))
            self._counter += 1
        return out[:count]
