"""The log: lines for people or JSON for machines, and the texts of the node's events.

Text from outside (a peer's agent, a goodbye) cannot forge a line or control a terminal: unprintable characters are
escaped when the line is written.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import time
from pathlib import Path
from typing import Literal

from pychain.base.text import printable
from pychain.chain.hashes import hash_hex
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

LogFormat = Literal["text", "json"]
LEVELS = ("debug", "info", "warning", "error")
Fields = dict[str, str | int | bool]

LOG_FILE_BYTES = 10_000_000
LOG_FILES_KEPT = 3
"""Old log files kept: at most 40 MB of log in all."""

_log = logging.getLogger("pychain.node")


class _Formatter(logging.Formatter):
    """The common part of both formats: UTC, and tracebacks line by line."""

    def message(self, record: logging.LogRecord) -> str:
        return printable(record.getMessage())

    def moment(self, record: logging.LogRecord) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"

    def traceback(self, record: logging.LogRecord) -> list[str]:
        if not record.exc_info:
            return []
        return [printable(line) for line in self.formatException(record.exc_info).splitlines()]


class TextFormatter(_Formatter):
    """`2026-11-20T12:00:00.000Z info    new tip at height 7 ...`; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.moment(record)} {record.levelname.lower():<7} {self.message(record)}"
        return "\n    ".join([line, *self.traceback(record)])


class JsonFormatter(_Formatter):
    """One JSON object per line: time, level, logger, message, and the fields of an event."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": self.moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
            **getattr(record, "fields", {}),
        }
        if traceback := self.traceback(record):
            entry["traceback"] = traceback
        return json.dumps(entry)  # only ASCII: unprintable characters are escaped, and decode to the original


def set_up_log(level: str, log_format: LogFormat, file: Path | None = None) -> logging.Handler:
    """Send the project's log and its libraries' warnings to `file`, rotated, or to standard error.

    Replaces the handler of an earlier call. Returns the handler, for `take_down_log`. OSError if the file cannot be
    opened."""
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=LOG_FILE_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8", errors="backslashreplace"
        )
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("pychain").setLevel(level.upper())
    return handler


def take_down_log(handler: logging.Handler) -> None:
    """Undo `set_up_log`."""
    logging.getLogger().removeHandler(handler)
    handler.close()


def log_event(event: Event) -> None:
    """Log an event. Its fields are added for the JSON format."""
    if isinstance(event, (TransferAccepted, TransferDropped)) and not _log.isEnabledFor(logging.DEBUG):
        return  # thousands per second, which nobody reads
    level, text, fields = describe(event)
    _log.log(level, "%s", text, extra={"fields": {"event": type(event).__name__, **fields}})


def describe(event: Event) -> tuple[int, str, Fields]:
    """Level, one line and the fields of an event; hashes in display order."""
    match event:
        case NewTip():
            return _describe_tip(event)
        case BlockRefused(block_hash, code, detail):
            block = hash_hex(block_hash)
            text = f"block {block} refused: {code}" + (f" ({detail})" if detail else "")
            return logging.WARNING, text, {"hash": block, "code": code, "detail": detail}
        case TransferAccepted(transfer):
            txid = hash_hex(transfer.txid)
            return logging.DEBUG, f"transfer {txid} accepted", {"txid": txid}
        case TransferDropped(transfer, reason):
            txid = hash_hex(transfer.txid)
            fields: Fields = {"txid": txid, "reason": reason}
            return logging.DEBUG, f"transfer {txid} dropped: {reason}", fields
        case PeerUp(peer, address, inbound, agent):
            way = "from" if inbound else "to"
            fields = {"peer": peer, "address": address, "inbound": inbound, "agent": agent}
            return logging.INFO, f"peer {peer} connected {way} {address}, {agent}", fields
        case PeerDown(peer, address, reason):
            fields = {"peer": peer, "address": address, "reason": reason}
            return logging.INFO, f"peer {peer} at {address} disconnected: {reason}", fields
        case Notice(notice_level, text):
            return getattr(logging, notice_level.upper()), text, {}


def _describe_tip(event: NewTip) -> tuple[int, str, Fields]:
    tip = hash_hex(event.header.hash)
    fields: Fields = {
        "hash": tip,
        "height": event.height,
        "time": event.header.time,
        "disconnected": len(event.disconnected),
        "connected": len(event.connected),
    }
    if event.disconnected:
        left, taken = len(event.disconnected), len(event.connected)
        return (
            logging.INFO,
            f"reorganised to height {event.height}, {left} blocks disconnected, {taken} connected: {tip}",
            fields,
        )
    more = f" ({len(event.connected)} blocks)" if len(event.connected) > 1 else ""
    return logging.INFO, f"new tip at height {event.height}{more}: {tip}", fields
