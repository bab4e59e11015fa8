"""A flag that ends a running search from another thread."""

from __future__ import annotations


class StopFlag:
    """One byte shared between the searching threads and the one that stops them.

    The C core polls `cell`: zero means continue. Setting it is one store, so no lock is needed.
    """

    __slots__ = ("cell",)

    def __init__(self) -> None:
        self.cell = bytearray(1)

    def set(self) -> None:
        """End all searches with this flag; those that start later end at once."""
        self.cell[0] = 1

    def clear(self) -> None:
        """Allow searches again."""
        self.cell[0] = 0

    def is_set(self) -> bool:
        return self.cell[0] != 0
