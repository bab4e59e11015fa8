"""The log: every event has its line, both formats hold whatever peers write, files rotate."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.text import printable
from pychain.chain.header import new_header
from pychain.chain.transaction import new_transfer, transfer_body
from pychain.daemon import log as log_module
from pychain.daemon.log import (
    JsonFormatter,
    LogFormat,
    TextFormatter,
    describe,
    log_event,
    set_up_log,
    take_down_log,
)
from pychain.node.events import (
    BlockRefused,
    Event,
    NewTip,
    Notice,
    PeerDown,
    PeerUp,
    TransferAccepted,
    TransferDropped,
)

HEADER = new_header(1, bytes(32), bytes(32), 1_700_000_000, 0x207FFFFF, 0)
HASH = bytes(range(32))
SHOWN = HASH[::-1].hex()
TRANSFER = new_transfer(transfer_body(HASH, 0, HASH, 1, 2, b""), bytes(64))
EVENTS: list[tuple[Event, str, str]] = [
    (NewTip(HEADER, 7, (), (HEADER.hash,)), "info", f"new tip at height 7: {HEADER.hash[::-1].hex()}"),
    (NewTip(HEADER, 7, (), (HASH, HEADER.hash)), "info", f"new tip at height 7 (2 blocks): {HEADER.hash[::-1].hex()}"),
    (
        NewTip(HEADER, 7, (HASH,), (HASH, HEADER.hash)),
        "info",
        f"reorganised to height 7, 1 blocks disconnected, 2 connected: {HEADER.hash[::-1].hex()}",
    ),
    (BlockRefused(HASH, "high-hash", "too high"), "warning", f"block {SHOWN} refused: high-hash (too high)"),
    (TransferAccepted(TRANSFER), "debug", f"transfer {TRANSFER.txid[::-1].hex()} accepted"),
    (TransferDropped(TRANSFER, "expired"), "debug", f"transfer {TRANSFER.txid[::-1].hex()} dropped: expired"),
    (PeerUp(3, "/ip4/192.0.2.1/tcp/1", True, "/x:1/"), "info", "peer 3 connected from /ip4/192.0.2.1/tcp/1, /x:1/"),
    (PeerUp(3, "/ip4/192.0.2.1/tcp/1", False, "/x:1/"), "info", "peer 3 connected to /ip4/192.0.2.1/tcp/1, /x:1/"),
    (
        PeerDown(3, "/ip4/192.0.2.1/tcp/1", "timed out"),
        "info",
        "peer 3 at /ip4/192.0.2.1/tcp/1 disconnected: timed out",
    ),
    (Notice("warning", "mind the gap"), "warning", "mind the gap"),
]


@pytest.fixture
def log_file(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = tmp_path / "node.log"
    log_format: LogFormat = request.param
    handler = set_up_log("debug", log_format, path)
    yield path
    take_down_log(handler)


@pytest.mark.parametrize(("event", "level", "line"), EVENTS)
def test_an_event_has_a_level_and_a_line(event: Event, level: str, line: str) -> None:
    number, text, fields = describe(event)
    assert logging.getLevelName(number).lower() == level
    assert text == line
    json.dumps(fields)


def test_every_kind_of_event_is_described() -> None:
    assert {type(event) for event, _, _ in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("log_file", ["text"], indirect=True)
def test_text_lines_have_utc_time_level_and_message(log_file: Path) -> None:
    log_event(Notice("warning", "mind the gap"))
    line = log_file.read_text().splitlines()[-1]
    moment, level, text = line.split(maxsplit=2)
    assert moment.endswith("Z")
    assert len(moment) == len("2026-11-20T12:00:00.000Z")
    assert (level, text) == ("warning", "mind the gap")


@pytest.mark.parametrize("log_file", ["text"], indirect=True)
def test_transfers_are_worded_where_somebody_wants_to_read_of_them(log_file: Path) -> None:
    log_event(TransferAccepted(TRANSFER))
    logging.getLogger("pychain").setLevel(logging.INFO)
    log_event(TransferDropped(TRANSFER, "expired"))
    assert [line.split()[-1] for line in log_file.read_text().splitlines()] == ["accepted"]


@pytest.mark.parametrize("log_file", ["json"], indirect=True)
def test_json_lines_carry_the_fields(log_file: Path) -> None:
    log_event(EVENTS[0][0])
    entry = json.loads(log_file.read_text().splitlines()[-1])
    assert entry["event"] == "NewTip"
    assert (entry["height"], entry["level"], entry["disconnected"]) == (7, "info", 0)
    assert entry["message"] == EVENTS[0][2]


@pytest.mark.parametrize("log_file", ["text", "json"], indirect=True)
def test_a_peer_cannot_forge_a_line_or_steer_a_terminal(log_file: Path) -> None:
    agent = "/evil/\n2026-11-20T12:00:00.000Z error all is lost\x1b[2J\r\u202e\x85\u2028"
    log_event(PeerUp(1, "/ip4/192.0.2.1/tcp/1", True, agent))
    content = log_file.read_text(encoding="utf-8")
    assert len(content.splitlines()) == 1
    message = json.loads(content)["message"] if content.startswith("{") else content.rstrip("\n")
    assert message.isprintable()
    assert r"\n2026" in message
    assert r"\x1b[2J" in message


@pytest.mark.parametrize("log_file", ["text", "json"], indirect=True)
def test_tracebacks_are_told_line_by_line(log_file: Path) -> None:
    try:
        raise ValueError("first\nsecond\x1b[0m")
    except ValueError:
        logging.getLogger("pychain.daemon").exception("it broke")
    content = log_file.read_text()
    assert "\x1b" not in content
    assert "ValueError: first" in content
    if content.startswith("{"):
        assert "Traceback (most recent call last):" in json.loads(content)["traceback"][0]
    else:
        assert all(line.startswith("    ") for line in content.splitlines()[1:])


@given(text=st.text(st.characters()))
def test_any_text_becomes_printable(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


@given(text=st.text(st.characters()))
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_any_message_is_one_line(formatter: logging.Formatter, text: str) -> None:
    record = logging.LogRecord("pychain", logging.INFO, "", 0, "%s", (text,), None)
    assert len(formatter.format(record).splitlines()) == 1


@pytest.mark.parametrize("log_file", ["text"], indirect=True)
def test_libraries_are_heard_from_warnings_on(log_file: Path) -> None:
    logging.getLogger("asyncio").info("chatter")
    logging.getLogger("asyncio").warning("trouble")
    logging.getLogger("pychain.p2p").debug("detail")
    assert [line.split(maxsplit=2)[2] for line in log_file.read_text().splitlines()] == ["trouble", "detail"]


def test_without_a_file_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    handler = set_up_log("info", "text")
    log_event(Notice("info", "hello"))
    take_down_log(handler)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("hello\n")
    assert sys.stderr is not None


def test_a_file_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "LOG_FILE_BYTES", 2000)
    handler = set_up_log("info", "text", tmp_path / "node.log")
    for number in range(200):
        log_event(Notice("info", f"line {number}"))
    take_down_log(handler)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["node.log", "node.log.1", "node.log.2", "node.log.3"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
