"""Responses as bytes."""

from __future__ import annotations

import time
from functools import lru_cache
from http import HTTPStatus
from wsgiref.handlers import format_date_time

from pychain.http.message import Header, Response


def render(response: Response, *, keep_alive: bool, body: bool = True) -> bytes:
    """The bytes of a response; without its body for HEAD."""
    head = _head(response.status, response.headers, int(time.time()))
    close = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
    if response.status == HTTPStatus.NO_CONTENT:
        return head + close
    return b"%bcontent-length: %d\r\n%b%b" % (head, len(response.body), close, response.body if body else b"")


def render_stream_head(headers: tuple[Header, ...]) -> bytes:
    """The head of a response that lasts until the connection ends."""
    return _head(HTTPStatus.OK.value, headers, int(time.time())) + b"connection: close\r\n\r\n"


@lru_cache(maxsize=64)
def _head(status: int, headers: tuple[Header, ...], second: int) -> bytes:
    """Status line, date (RFC 9110, 6.6.1: required of a server with a clock) and headers."""
    lines = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%b: %b" % header for header in headers]
    return b"\r\n".join([*lines, b"date: " + format_date_time(second).encode(), b""])
