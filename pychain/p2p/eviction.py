"""Eviction: choosing the inbound peer that makes room for a new one, so that early peers cannot hold every slot.

A smaller version of Bitcoin Core's `node/eviction`: peers with the lowest ping, or the latest new block or transaction,
are protected, and the longest-connected half of the rest; of the others, the youngest in the largest network group is
evicted. Core's protection by keyed netgroup and its reserve for privacy networks are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pychain.p2p.limits import EVICTION_PROTECTED
from pychain.p2p.peer import Peer


def choose_victim(inbound: Iterable[Peer], is_discouraged: Callable[[Peer], bool]) -> Peer | None:
    """The peer to disconnect, None when all are protected."""
    candidates = [peer for peer in inbound if not peer.manual]
    discouraged = [peer for peer in candidates if is_discouraged(peer)]
    if discouraged:
        return max(discouraged, key=_age)
    candidates = _without_best(candidates, lambda peer: peer.round_trip.least_ns, lowest=True)
    candidates = _without_best(candidates, lambda peer: peer.last_block_ns, lowest=False)
    candidates = _without_best(candidates, lambda peer: peer.last_transaction_ns, lowest=False)
    candidates = sorted(candidates, key=_age)[len(candidates) // 2 :]
    if not candidates:
        return None
    groups: dict[str, list[Peer]] = {}
    for peer in candidates:
        groups.setdefault(peer.address.netgroup, []).append(peer)
    largest = max(groups.values(), key=lambda group: (len(group), _age(group[-1])))
    return largest[-1]


def _age(peer: Peer) -> tuple[int, int]:
    """Sort key: oldest connection first, ties broken by id."""
    return (peer.opened_at.mono_ns, peer.peer_id)


def _without_best(peers: list[Peer], merit: Callable[[Peer], int | None], *, lowest: bool) -> list[Peer]:
    """All but the few with the best merit; a peer without that merit is not protected."""
    ranked: list[tuple[int, int]] = []
    for peer in peers:
        value = merit(peer)
        if value is not None:
            ranked.append((value if lowest else -value, peer.peer_id))
    protected = {peer_id: None for _, peer_id in sorted(ranked)[:EVICTION_PROTECTED]}
    return [peer for peer in peers if peer.peer_id not in protected]
