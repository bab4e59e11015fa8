"""Write the reference of the commands, docs/commands.md, to standard output."""

from __future__ import annotations

from pychain.cli.reference import page

if __name__ == "__main__":
    print(page(), end="")
