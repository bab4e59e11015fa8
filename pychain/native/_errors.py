"""The error of this package."""

from __future__ import annotations

from collections.abc import Sequence


class KernelError(ValueError):
    """A kernel was requested by a name that this machine does not have; `str(error)` lists the available ones."""


def unavailable(name: str, available: Sequence[str]) -> KernelError:
    """The error for a kernel `name` that is not among the available ones."""
    return KernelError(f"kernel {name!r} is not available on this machine, which has {', '.join(available)}")
