"""The error of this room."""

from __future__ import annotations

from collections.abc import Sequence


class KernelError(ValueError):
    """A kernel was asked for by a name that this machine does not have; `str(error)` lists those that it has."""


def unavailable(name: str, available: Sequence[str]) -> KernelError:
    """The error for a kernel called `name`, which is not among those available."""
    return KernelError(f"kernel {name!r} is not available on this machine, which has {', '.join(available)}")
