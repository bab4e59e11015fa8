"""Write the reference of the methods, docs/api.md, to standard output."""

from __future__ import annotations

import sys

from pychain.api.describe import page
from pychain.api.methods.control import GROUPS

if __name__ == "__main__":
    sys.stdout.write(page(GROUPS))
