"""Reading docs/*.md: sections, tables, hex blocks and code, for the tests that recompute what a document says."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


class Document:
    """One document under docs/."""

    def __init__(self, name: str) -> None:
        self.text = (DOCS / name).read_text(encoding="utf-8")

    def section(self, title: str) -> str:
        """The text under a heading, up to the next heading of its level or above."""
        heading = re.search(rf"^(#+) {re.escape(title)}\n", self.text, re.MULTILINE)
        assert heading is not None, f"no section '{title}'"
        rest = self.text[heading.end() :]
        following = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
        return rest[: following.start() if following else None]

    def rows(self, title: str, *first_columns: str) -> list[list[str]]:
        """The cells of the table in a section whose header begins with these columns, back ticks taken off."""
        lines = self.section(title).split("\n")
        head = "| " + " | ".join(first_columns) + " |"
        start = next(number for number, line in enumerate(lines) if line.startswith(head))
        table = []
        for line in lines[start + 2 :]:
            if not line.startswith("|"):
                break
            table.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
        return table

    def block(self, title: str, language: str) -> str:
        """The first fenced block of a language in a section."""
        block = re.search(rf"^```{language}\n(.*?)^```", self.section(title), re.MULTILINE | re.DOTALL)
        assert block is not None, f"no {language} block in section '{title}'"
        return block[1]

    def hex_lines(self, title: str) -> list[tuple[bytes, str]]:
        """(bytes, comment) of each commented run in a section's hex block: lines without a comment continue."""
        runs: list[tuple[bytes, str]] = []
        for line in self.block(title, "hex").splitlines():
            digits, _, comment = line.partition(";")
            if comment or not runs:
                runs.append((bytes.fromhex(digits), comment.strip()))
            else:
                runs[-1] = (runs[-1][0] + bytes.fromhex(digits), runs[-1][1])
        return runs

    def hex_bytes(self, title: str) -> bytes:
        """All bytes of a section's hex block."""
        return b"".join(data for data, _ in self.hex_lines(title))
