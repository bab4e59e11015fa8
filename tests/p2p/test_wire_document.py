"""docs/wire.md against the code: its examples, tables and program are recomputed here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pychain.p2p import limits
from pychain.p2p.buckets import MESSAGE_RATES
from pychain.p2p.framing import FrameReader, frame
from pychain.p2p.messages import GoodbyeCode, MessageType, decode, encode, type_of
from pychain.p2p.misbehaviour import POINTS
from tests.p2p.wire_examples import EXAMPLES

DOCUMENT = (Path(__file__).parents[2] / "docs" / "wire.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading, up to the next heading of its level or above."""
    match = re.search(rf"^(#+) {re.escape(title)}\n", DOCUMENT, re.MULTILINE)
    assert match is not None, f"no section '{title}'"
    level = len(match[1])
    following = re.search(rf"^#{{1,{level}}} ", DOCUMENT[match.end() :], re.MULTILINE)
    return DOCUMENT[match.end() :][: following.start() if following else None]


def rows(text: str, header: str) -> list[list[str]]:
    """The cells of the table whose first line begins with `header`."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {header} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def example(name: str) -> bytes:
    """The bytes shown in a message's section."""
    block = re.search(r"^```hex\n(.*?)^```", section(name), re.MULTILINE | re.DOTALL)
    assert block is not None
    return b"".join(bytes.fromhex(line.split(";")[0]) for line in block[1].splitlines())


def number(text: str) -> float:
    """The number at the beginning of a cell."""
    return float(text.split()[0].replace(",", ""))


def leaves(value: object) -> Iterator[object]:
    """Plain values in the order they are encoded."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from leaves(getattr(value, name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def test_there_is_an_example_for_every_message() -> None:
    assert [type_of(message) for message in EXAMPLES.values()] == list(MessageType)
    assert list(EXAMPLES) == [kind.name.lower() for kind in MessageType]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_what_we_send_and_read(name: str) -> None:
    shown = example(name)
    assert shown == frame(encode(EXAMPLES[name]))
    (payload,) = FrameReader(len(shown)).feed(shown)
    assert decode(payload) == EXAMPLES[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_comments_in_the_examples_tell_the_values(name: str) -> None:
    text = section(name)
    for leaf in leaves(EXAMPLES[name]):
        if isinstance(leaf, str):
            assert f'"{leaf}"' in text
        elif isinstance(leaf, int):
            assert re.search(rf"; \w+: {int(leaf)}$", text, re.MULTILINE)
        else:
            assert isinstance(leaf, bytes)
            assert f"{len(leaf)} bytes" in text


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "get_addrs"])
def test_field_tables_name_the_fields_in_order(name: str) -> None:
    assert [row[0] for row in rows(section(name), "field")] == list(EXAMPLES[name].__struct_fields__)


def test_the_table_of_types() -> None:
    table = {int(row[0]): row[1] for row in rows(section("Messages"), "type")}
    assert table == {kind: f"[{kind.name.lower()}](#{kind.name.lower()})" for kind in MessageType}


def test_the_table_of_goodbye_codes() -> None:
    assert [row[0].strip("`") for row in rows(section("Goodbye codes"), "code")] == list(GoodbyeCode)


def test_the_table_of_offences() -> None:
    assert {row[0]: int(row[1]) for row in rows(section("Misbehaviour"), "offence")} == dict(POINTS)


@pytest.mark.parametrize(("name", "value"), rows(section("Limits"), "name"))
def test_the_table_of_limits(name: str, value: str) -> None:
    constant = name.strip("`")
    scale = 1_000_000_000 if constant.endswith("_NS") else 1
    assert getattr(limits, constant) == number(value) * scale
    assert value.endswith(" s") == constant.endswith("_NS")


def test_the_table_of_rates() -> None:
    told = {}
    for names, _, rate, burst in rows(section("Limits"), "message"):
        match = re.fullmatch(r"([\d,]+) / (\d*) ?s", rate)
        assert match is not None
        for name in names.split(", "):
            told[name] = (number(match[1]) / float(match[2] or 1), number(burst))
    assert told == {
        kind.name.lower(): (rate.tokens * 1e9 / rate.period_ns, rate.burst) for kind, rate in MESSAGE_RATES.items()
    }


def test_the_decoder_reads_every_example() -> None:
    program = re.search(r"^```python\n(.*?)^```", section("A decoder"), re.MULTILINE | re.DOTALL)
    assert program is not None
    namespace: dict[str, Any] = {}
    exec(compile(program[1], "docs/wire.md", "exec"), namespace)
    read: Callable[[bytes, int], Iterator[tuple[str, list[Any]]]] = namespace["messages"]
    stream = b"".join(map(example, EXAMPLES))
    decoded = list(read(stream + frame(b"\x63unknown"), 4096))
    assert [name for name, _ in decoded] == list(EXAMPLES)
    for (_, fields), message in zip(decoded, EXAMPLES.values(), strict=True):
        assert list(leaves(fields)) == list(leaves(message))
    with pytest.raises(ValueError, match="a frame of 106 bytes"):
        list(read(stream, 100))
