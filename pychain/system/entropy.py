"""Entropy from the operating system."""

from __future__ import annotations

import os


class SystemEntropy:
    """`pychain.base.entropy.Entropy` from getrandom(2) or the system's equivalent."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)
