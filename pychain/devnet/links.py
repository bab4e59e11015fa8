"""Links between nodes as data: which exist, which are cut, how slow each is, and the effect of a partition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pychain.devnet.errors import DevnetError, WrongNodesError

Groups = tuple[tuple[int, ...], ...]
"""Nodes that reach each other; no node is in two groups."""

MAX_LAG_MS = 60_000.0
"""A minute each way. Nodes disconnect a peer that is silent for 45 s, so a slower link would be a cut one."""


class Link(msgspec.Struct, frozen=True):
    """A link of two nodes, the lower index first; the higher one dials. It runs through the relay.

    target: where the lower one listens. port: the relay's port to dial; 0 for any free one. lag_ms: the delay of bytes
    in each direction; jitter_ms: the maximum random extra delay.
    """

    one: int
    other: int
    target: str
    port: int = 0
    cut: bool = False
    lag_ms: float = 0.0
    jitter_ms: float = 0.0

    @property
    def nodes(self) -> tuple[int, int]:
        return self.one, self.other

    @property
    def dialled(self) -> str:
        """The address that the higher node connects to."""
        return f"127.0.0.1:{self.port}"


def complete(groups: Iterable[Iterable[int]], count: int) -> Groups:
    """The groups of a partition, with all unnamed nodes as one more group. WrongNodesError if a node does not exist, or
    is in two groups."""
    named: list[tuple[int, ...]] = []
    seen: dict[int, None] = {}
    for group in groups:
        members = tuple(dict.fromkeys(group))
        for index in members:
            check_index(index, count)
            if index in seen:
                raise WrongNodesError(f"node{index} is in two groups")
        seen.update(dict.fromkeys(members))
        if members:
            named.append(members)
    rest = tuple(index for index in range(count) if index not in seen)
    return (*named, rest) if rest else tuple(named)


def check_index(index: int, count: int) -> None:
    """WrongNodesError if a devnet with `count` nodes does not have this one."""
    if not 0 <= index < count:
        there = f"there are node0 to node{count - 1}" if count > 1 else "there is node0 alone"
        raise WrongNodesError(f"there is no node{index}: {there}")


def partition(links: Iterable[Link], groups: Groups) -> list[Link]:
    """The links with those between groups cut, and all others restored."""
    side = {index: number for number, group in enumerate(groups) for index in group}
    return [msgspec.structs.replace(link, cut=side[link.one] != side[link.other]) for link in links]


def heal(links: Iterable[Link]) -> list[Link]:
    """The links without cuts and lag."""
    return [msgspec.structs.replace(link, cut=False, lag_ms=0.0, jitter_ms=0.0) for link in links]


def slow(
    links: Sequence[Link], lag_ms: float, jitter_ms: float = 0.0, between: tuple[int, int] | None = None
) -> list[Link]:
    """The links with a lag: all of them, or only that of two nodes. DevnetError if there is no such link."""
    if not (0 <= lag_ms <= MAX_LAG_MS and 0 <= jitter_ms <= MAX_LAG_MS):
        raise WrongNodesError(f"lag and jitter are 0 to {MAX_LAG_MS:,.0f} ms")
    chosen = links if between is None else [find(links, *between)]
    return [msgspec.structs.replace(link, lag_ms=lag_ms, jitter_ms=jitter_ms) for link in chosen]


def find(links: Iterable[Link], one: int, other: int) -> Link:
    """The link of two nodes, in either order. DevnetError if they have none."""
    for link in links:
        if set(link.nodes) == {one, other}:
            return link
    raise DevnetError(f"node{one} and node{other} have no link")


def reachable(links: Iterable[Link], count: int) -> Groups:
    """Which nodes reach each other over links that are not cut, directly or through others."""
    group = list(range(count))
    for link in links:
        if not link.cut:
            old, new = sorted((group[link.one], group[link.other]), reverse=True)
            group = [new if each == old else each for each in group]
    return tuple(tuple(index for index in range(count) if group[index] == each) for each in sorted(set(group)))


def describe(links: Sequence[Link], count: int) -> list[str]:
    """The faults of the links, in words: none if no link is cut or slow."""
    lines = []
    groups = reachable(links, count)
    cut = [link for link in links if link.cut]
    if cut and len(groups) > 1:
        lines.append("apart: " + " | ".join(" ".join(f"node{index}" for index in group) for group in groups))
    elif cut:
        lines.append("cut: " + _names(cut))
    by_lag: dict[tuple[float, float], list[Link]] = {}
    for link in links:
        if link.lag_ms or link.jitter_ms:
            by_lag.setdefault((link.lag_ms, link.jitter_ms), []).append(link)
    for (lag_ms, jitter_ms), slowed in by_lag.items():
        jitter = f" to {lag_ms + jitter_ms:g}" if jitter_ms else ""
        where = "every link" if len(slowed) == len(links) else _names(slowed)
        lines.append(f"lag: {lag_ms:g}{jitter} ms each way on {where}")
    return lines


def _names(links: Iterable[Link]) -> str:
    return ", ".join(f"node{link.one}-node{link.other}" for link in links)
