"""Messages: JSON objects that are calls (or notifications, whose id is null) and answers, as in JSON-RPC 1.0.

{"id": 4, "method": "mining.submit", "params": ["address.worker", "1f", "00000000", "6b0a1f00", "1d2ac2b1"]}
{"id": 4, "result": false, "error": [23, "low difficulty share", null]}
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec

from pychain.base.errors import DecodeError

NO_ID = b"null"


class ErrorCode(IntEnum):
    """The error codes in use since the protocol's first server."""

    OTHER = 20
    STALE = 21
    DUPLICATE = 22
    LOW_DIFFICULTY = 23
    UNAUTHORIZED = 24
    NOT_SUBSCRIBED = 25


@dataclass(frozen=True, slots=True)
class Call:
    """A call; `id` is its JSON text as received, `null` for a notification, which is not answered."""

    id: bytes
    method: str
    params: list[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to the call with that id. `error` is None if the call succeeded."""

    id: bytes
    result: Any
    error: Any


class _Message(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(NO_ID)
    method: str | None = None
    params: list[Any] | None = None
    result: Any = None
    error: Any = None


class _Call(msgspec.Struct):
    id: msgspec.Raw | int | None
    method: str
    params: list[Any]


class _Answer(msgspec.Struct):
    id: msgspec.Raw
    result: Any
    error: list[Any] | None


_decoder = msgspec.json.Decoder(_Message)
_encoder = msgspec.json.Encoder()


def decode_message(line: bytes) -> Call | Answer:
    """The message in a line; unknown members are ignored. DecodeError for anything else."""
    try:
        message = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"this is not a message: {error}") from None
    if message.method is None:
        return Answer(bytes(message.id), message.result, message.error)
    return Call(bytes(message.id), message.method, message.params or [])


def encode_call(method: str, params: list[Any], call_id: int | None = None) -> bytes:
    """The line of a call, or of a notification."""
    return _encoder.encode(_Call(call_id, method, params)) + b"\n"


def encode_result(call_id: bytes, result: Any) -> bytes:
    """The line of a successful answer."""
    return _encoder.encode(_Answer(msgspec.Raw(call_id), result, None)) + b"\n"


def encode_refusal(call_id: bytes, code: ErrorCode, text: str) -> bytes:
    """The line of an error answer: the result is false, which miners check first."""
    return _encoder.encode(_Answer(msgspec.Raw(call_id), False, [int(code), text, None])) + b"\n"
