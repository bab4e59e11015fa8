"""The project's words: those that a reader of Bitcoin Core, geth or libp2p knows, in plain English.

Each banned word stands with what to write in its place. Words are matched whole and in any case, also as parts of
identifiers, in all that is shipped: prose, comments, messages and names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SUFFIXES = {".md", ".py", ".c", ".h", ".js", ".html", ".css", ".toml", ".json", ".service"}

PLACES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "bench",
    "csrc",
    "docs",
    "examples",
    "pychain",
    "tests",
)
"""Files and folders whose words are checked: all that the project has written."""

PERSON = "a peer or a node is 'it'; a person is 'they'"

BANNED = {
    **dict.fromkeys(("he", "him", "his", "himself", "she", "her", "hers", "herself"), PERSON),
    # --- this project's own metaphors
    "doom": "mark invalid",
    "dooms": "marks invalid",
    "doomed": "has an invalid ancestor",
    "lair": "state directory",
    "spy": "monitor",
    "spies": "monitors",
    "desk": "request handler",
    "mend": "repair, fetch again",
    "mends": "repairs, fetches again",
    "mended": "repaired, fetched again",
    "mending": "repair",
    "puzzle": "job",
    "puzzles": "jobs",
    "ticket": "work, or a number in a queue",
    "tickets": "work, or numbers in a queue",
    "essence": "the hashed fields",
    "worlds": "runtimes, or simulations",
    "this room": "this package",
    "the rooms": "the packages",
    "every room": "every package",
    "several rooms": "several packages",
    "rots": "is damaged",
    "rotted": "damaged",
    "dead man": "watchdog",
    "yardstick": "baseline",
    # --- English that nobody speaks
    "anew": "again",
    "is content": "needs no more",
    "hand it over": "pass it on",
    "hands it over": "passes it on",
    "let go of": "drop, release",
    "of late": "recent, recently",
    "shall": "must, should, will",
    "so many a": "N per",
    "take on": "accept",
    "takes on": "accepts",
    "what is that": "name the thing",
    "whatsoever": "any",
}
"""Word or phrase -> what to write in its place."""

ALLOWED = {
    ("docs/consensus.md", "worlds"): "the message in the genesis block of `main`, which can never change",
    (
        "pychain/chain/networks/main.toml",
        "worlds",
    ): "the message in the genesis block of `main`, which can never change",
}
"""File and word -> why it may stand there."""

STIFF_BEGINNINGS = ("Of", "That", "What", "Who", "Whom", "Whose")
"""Words with which a docstring does not begin: name the thing, as in 'The height of ...', not 'What is as high as'."""


_GAP = r"(?:\s|#)+"
"""Within a phrase a line may end, and a comment go on in the next."""
_PHRASES = "|".join(_GAP.join(phrase.split()) for phrase in sorted(BANNED, key=len, reverse=True))
_PATTERN = re.compile(rf"(?<![A-Za-z])(?:{_PHRASES})(?![A-Za-z])", re.IGNORECASE)
"""Whole words, also between underscores."""


def found(text: str) -> Iterator[tuple[int, str]]:
    """The line and the word of each banned word in a text."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)  # so that the words of CamelCase are whole
    for match in _PATTERN.finditer(spaced):
        yield spaced.count("\n", 0, match.start()) + 1, re.sub(_GAP, " ", match[0].lower())


def written() -> Iterator[tuple[str, Path]]:
    """The files, by their path in the repository."""
    for name in PLACES:
        start = ROOT / name
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            place = path.relative_to(ROOT).as_posix()
            if path.suffix in SUFFIXES and path.is_file() and path != Path(__file__):
                yield place, path


def test_the_words_are_the_field_s() -> None:
    wrong = [
        f"{place}:{line}: {word!r}: {BANNED[word]}"
        for place, path in written()
        for line, word in found(path.read_text("utf-8"))
        if (place, word) not in ALLOWED
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("word", BANNED)
def test_a_banned_word_is_found(word: str) -> None:
    assert list(found(f"One line.\n{word.capitalize()}, it says, and {word}x.")) == [(2, word)]
    assert list(found("# " + word.replace(" ", "\n    # "))) == [(1, word)]


def test_a_banned_word_is_found_in_names() -> None:
    assert list(found("class JobPuzzle:\n    _job_puzzle_id = puzzled")) == [(1, "puzzle"), (2, "puzzle")]


def test_every_exception_is_needed() -> None:
    files = dict(written())
    for place, word in ALLOWED:
        assert word in {hit for _, hit in found(files[place].read_text("utf-8"))}, f"{place} has no {word!r} any more"


def test_every_place_exists() -> None:
    missing = [name for name in PLACES if not (ROOT / name).exists()]
    assert not missing


def test_docstrings_begin_with_the_thing() -> None:
    """Their first line is a sentence that names it: it begins with a capital or with code, and not with a relative
    pronoun."""
    wrong = []
    for place, path in written():
        if path.suffix != ".py" or place.startswith("tests/"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                summary = ast.get_docstring(node) or "None"
                if summary.split(maxsplit=1)[0] in STIFF_BEGINNINGS:
                    wrong.append(f"{place}:{getattr(node, 'lineno', 1)}: {summary.splitlines()[0]}")
    assert not wrong, "\n".join(wrong)
