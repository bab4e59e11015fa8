"""Writing the active chain of a data directory to a chain file, also while a node runs on the directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pychain.base.errors import PychainError
from pychain.daemon.chain_file import write_chain
from pychain.daemon.settings import Settings
from pychain.ledger.store import BodyStore
from pychain.node.config import NodeConfig
from pychain.node.node import Node
from pychain.node.queries import Queries
from pychain.store import LmdbStore
from pychain.system.entropy import SystemEntropy

REPORT_EVERY = 500
"""Blocks between two reports of progress."""


class ExportFailedError(PychainError):
    """A block of the chain is not in the data directory."""


def export_chain(settings: Settings, path: Path, report: Callable[[int, int], None]) -> int:
    """Write all blocks from height 1 to the tip; return the tip's height. `report` is called with (height, tip height).

    The file is written under a temporary name and renamed when it is complete. Errors are OSError, StoreError and
    ExportFailedError.
    """
    store = LmdbStore(settings.datadir, settings.spec.genesis_hash, read_only=True)
    partial = path.with_name(path.name + ".part")
    try:
        chain = Node(NodeConfig(settings.load_rulebook()), store, SystemEntropy()).queries
        height = chain.tip.height
        with partial.open("wb") as out:
            write_chain(out, settings.spec.genesis_hash, _blocks(store, chain, height, report))
        os.replace(partial, path)
    finally:
        store.close()
        with suppress(FileNotFoundError):
            partial.unlink()
    return height


def _blocks(store: BodyStore, chain: Queries, tip: int, report: Callable[[int, int], None]) -> Iterator[bytes]:
    for height in range(1, tip + 1):
        entry = chain.at(height)
        assert entry is not None
        raw = store.body(entry.hash)
        if raw is None:
            raise ExportFailedError(f"block {height} is not stored here (pruned?)")
        yield raw
        if height % REPORT_EVERY == 0 or height == tip:
            report(height, tip)
