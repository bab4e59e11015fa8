"""Undo records, written by other code than the one that writes them in a node."""

from __future__ import annotations

from pychain.base.codec import compact_size, u64
from pychain.consensus.state import Undo


def encode_undo(undo: Undo) -> bytes:
    """CompactSize count, then 32 key | u64 balance | u64 sequence each."""
    rows = [key + u64(account.balance) + u64(account.sequence) for key, account in undo]
    return compact_size(len(rows)) + b"".join(rows)
