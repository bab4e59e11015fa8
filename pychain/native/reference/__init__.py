"""The pure-Python twin of the C core: the oracle of its tests, the baseline of its benchmarks, and the fallback.

Same functions, same arguments, same errors as `pychain.native`. Hashes come from hashlib; `verify` is ZIP-215 written
out, several milliseconds a signature.
"""

from __future__ import annotations

import platform

from pychain.native._arguments import MAX_VERSIONS
from pychain.native._errors import KernelError, unavailable
from pychain.native._libsodium import verify_strict, verify_strict_batch
from pychain.native.cpu import CpuInfo
from pychain.native.reference.ed25519 import is_canonical_large_order, verify, verify_batch
from pychain.native.reference.hashing import (
    header_hash,
    merkle_root,
    merkle_root_checked,
    search,
    search_all,
    search_rolling,
    sha256d,
    sha256d_many,
    sha256d_records,
)
from pychain.native.reference.records import record_runs, sort_records, touches
from pychain.native.reference.transactions import transaction_offsets, transfer_rows, verify_transfers
from pychain.native.stop import StopFlag

__all__ = [
    "MAX_VERSIONS",
    "KernelError",
    "StopFlag",
    "cpu",
    "header_hash",
    "is_canonical_large_order",
    "kernel",
    "kernel_in_use",
    "kernels",
    "merkle_root",
    "merkle_root_checked",
    "record_runs",
    "search",
    "search_all",
    "search_rolling",
    "sha256d",
    "sha256d_many",
    "sha256d_records",
    "sort_records",
    "touches",
    "transaction_offsets",
    "transfer_rows",
    "use",
    "verify",
    "verify_batch",
    "verify_strict",
    "verify_strict_batch",
    "verify_transfers",
]

kernel = "sha256:reference"


def kernels() -> list[str]:
    """The only kernel without C."""
    return [kernel]


def kernel_in_use() -> str:
    """The same kernel."""
    return kernel


def use(name: str) -> None:
    """Accept the only name; raises `KernelError` for any other."""
    if name != kernel:
        raise unavailable(name, kernels())


def cpu() -> CpuInfo:
    """The machine as the interpreter knows it; there are no instruction sets to look for, and no compiler was
    used."""
    return CpuInfo(name=platform.machine(), features=(), compiler="none")
