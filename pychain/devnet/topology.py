"""Which nodes are connected."""

from __future__ import annotations

from collections.abc import Callable

Links = tuple[tuple[int, int], ...]
"""Pairs of nodes, the lower index first."""


def line(count: int) -> Links:
    """Each to the next."""
    return tuple((i, i + 1) for i in range(count - 1))


def ring(count: int) -> Links:
    """A line whose ends meet."""
    return (*line(count), (0, count - 1)) if count > 2 else line(count)


def full(count: int) -> Links:
    """Each to each."""
    return tuple((i, j) for i in range(count) for j in range(i + 1, count))


def star(count: int) -> Links:
    """All to the first."""
    return tuple((0, i) for i in range(1, count))


def apart(count: int) -> Links:
    """No connections; links are made later."""
    return ()


TOPOLOGIES: dict[str, Callable[[int], Links]] = {"line": line, "ring": ring, "full": full, "star": star, "apart": apart}
