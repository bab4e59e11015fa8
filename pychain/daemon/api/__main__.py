"""Write the reference of the methods, docs/api.md, to standard output."""

from __future__ import annotations

from pychain.daemon.api.describe import page
from pychain.daemon.api.methods.control import GROUPS

if __name__ == "__main__":
    print(page(GROUPS), end="")
