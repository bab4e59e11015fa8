"""The decision records have one form: numbered without gaps, each with the same parts, and an index that agrees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
FORM = re.compile(
    r"# (?P<number>\d+)\. (?P<title>[^\n]+)\n\nStatus: (?P<status>[^.]+)\.[^#]*"
    r"\n## Context\n\n[^#]+\n## Decision\n\n[^#]+\n## Consequences\n\n[^#]+"
)
MAX_LINES = 60
"""A record is read in a minute; what is longer belongs into a page of its own."""


def form(record: Path) -> re.Match[str]:
    match = FORM.fullmatch(record.read_text("utf-8"))
    assert match, f"{record.name}: title, status, context, decision and consequences are expected"
    return match


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_it_has_the_form_of_a_record(record: Path) -> None:
    assert int(record.name[:4]) == int(form(record)["number"])
    assert len(record.read_text("utf-8").splitlines()) <= MAX_LINES


def test_the_index_has_them_all_in_order() -> None:
    index = (FOLDER / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(\d+)\]\(([^)]+)\) \| ([^|]+) \| ([^|]+) \|$", index, re.MULTILINE)
    matches = [(record, form(record)) for record in RECORDS]
    assert rows == [(m["number"], record.name, m["title"], m["status"]) for record, m in matches]
    assert [int(number) for number, *_ in rows] == list(range(1, len(RECORDS) + 1))
