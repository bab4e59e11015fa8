"""A flag that ends a running search from another thread."""

from __future__ import annotations


class StopFlag:
    """One byte shared by reference between the threads that search and the one that stops them.

    `cell` is what the C core polls: zero means go on. Setting it is one store, so no lock is needed.
    """

    __slots__ = ("cell",)

    def __init__(self) -> None:
        self.cell = bytearray(1)

    def set(self) -> None:
        """Ask every search that was given this flag to end; those that start later end at once."""
        self.cell[0] = 1

    def clear(self) -> None:
        """Let searches run again."""
        self.cell[0] = 0

    def is_set(self) -> bool:
        return self.cell[0] != 0
