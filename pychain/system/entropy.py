"""Entropy from the operating system."""

from __future__ import annotations

import os


class SystemEntropy:
    """`pychain.base.entropy.Entropy` over getrandom(2) or what the system has in its place."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)
