"""The interface to the C core: hashing, merkle roots, proof-of-work search and signature checks, typed and
length-checked.

If the core was not built, the same functions come from `pychain.native.reference` and `fallback_reason` says why. The
kernel is chosen for the machine at import; PYCHAIN_KERNEL, a comma-separated list of names, forces kernels, and an
unknown or unavailable name in it raises `KernelError`. Bad arguments raise `ValueError`.
"""

from __future__ import annotations

from os import getenv
from typing import TYPE_CHECKING

from pychain.native._arguments import MAX_VERSIONS
from pychain.native._errors import KernelError
from pychain.native._libsodium import verify_strict
from pychain.native.cpu import CpuInfo
from pychain.native.signatures import (
    is_canonical_large_order,
    verify,
    verify_batch,
    verify_strict_batch,
    verify_transfers,
)
from pychain.native.stop import StopFlag

compiled: bool
fallback_reason: str | None
kernel: str  # the kernels in use, comma-separated; always current

try:
    from pychain.native._compiled import (
        cpu,
        header_hash,
        kernel_in_use,
        kernels,
        merkle_root,
        merkle_root_checked,
        search,
        search_all,
        search_rolling,
        sha256d,
        sha256d_many,
        sha256d_records,
        use,
    )
    from pychain.native._compiled_records import record_runs, sort_records, touches
    from pychain.native._compiled_transactions import transaction_offsets, transfer_rows

    compiled, fallback_reason = True, None
except ImportError as error:
    from pychain.native.reference import (
        cpu,
        header_hash,
        kernel_in_use,
        kernels,
        merkle_root,
        merkle_root_checked,
        record_runs,
        search,
        search_all,
        search_rolling,
        sha256d,
        sha256d_many,
        sha256d_records,
        sort_records,
        touches,
        transaction_offsets,
        transfer_rows,
        use,
    )

    compiled, fallback_reason = False, f"the C core is not available ({error}), so hashing runs in pure Python"

__all__ = [
    "MAX_VERSIONS",
    "CpuInfo",
    "KernelError",
    "StopFlag",
    "compiled",
    "cpu",
    "fallback_reason",
    "header_hash",
    "is_canonical_large_order",
    "kernel",
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

if not TYPE_CHECKING:  # hidden from type checkers, which would otherwise accept any attribute

    def __getattr__(name: str) -> str:
        if name == "kernel":
            return kernel_in_use()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _force(names: str) -> None:
    """Use each kernel of a comma-separated list."""
    for name in filter(None, map(str.strip, names.split(","))):
        try:
            use(name)
        except KernelError as error:
            raise KernelError(f"PYCHAIN_KERNEL: {error}") from None


_force(getenv("PYCHAIN_KERNEL", ""))
