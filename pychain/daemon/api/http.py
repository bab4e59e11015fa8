"""The HTTP door (ASGI 3): routes, who may come in, how much a body may hold. Nothing here knows a method.

A refused caller's connection stays open: what is left of its body is read and dropped, since hanging up on it could
take the answer away with it (RFC 9112, 9.6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from http import HTTPStatus
from typing import Any

from pychain.daemon.api.guard import BasicAuth, HostGuard
from pychain.daemon.api.jsonrpc import JsonRpc

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

RPC_PATHS = ("/rpc", "/")
"""Bitcoin's clients post to the root."""
FAILED_LOGIN_DELAY_S = 0.25
"""As in Core: what a guess at a password costs at least."""
_JSON: Header = (b"content-type", b"application/json")
_TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")


class _RefusedError(Exception):
    """The request ends here: status, one line, and headers besides the type and length."""

    def __init__(self, status: HTTPStatus, line: str, *headers: Header) -> None:
        super().__init__(line)
        self.status = status
        self.line = line
        self.headers = headers


class HttpApp:
    """The ASGI application of one node."""

    def __init__(self, rpc: JsonRpc, hosts: HostGuard, auth: BasicAuth, max_body_bytes: int) -> None:
        self._rpc = rpc
        self._hosts = hosts
        self._auth = auth
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))  # of a repeated one, the first counts
        try:
            self._admit(scope, headers)
            if not self._auth.allows(headers.get(b"authorization")):
                await self._refuse_login()
            body = await self._body(headers, receive)
            status, answer = await self._rpc.serve(body, partial(_gone, receive))
        except _RefusedError as refused:
            await _respond(send, refused.status, refused.line.encode() + b"\n", _TEXT, *refused.headers)
        else:
            await _respond(send, status, answer, _JSON)

    def _admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        if not self._hosts.allows(headers.get(b"host", b"")):
            raise _RefusedError(
                HTTPStatus.FORBIDDEN,
                "requests under this Host are refused (api_allowed_hosts adds one to loopback's names)",
            )
        if scope["path"] not in RPC_PATHS:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "there is nothing here; JSON-RPC is at /rpc")
        if scope["method"] != "POST":
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "JSON-RPC is called by POST", (b"allow", b"POST"))

    async def _refuse_login(self) -> None:
        await asyncio.sleep(FAILED_LOGIN_DELAY_S)
        raise _RefusedError(
            HTTPStatus.UNAUTHORIZED,
            "user and password are missing or wrong (the data directory's .cookie holds a pair)",
            (b"www-authenticate", b'Basic realm="pychain"'),
        )

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        content_type = headers.get(b"content-type", b"")
        if content_type != b"application/json" and not _is_json(content_type):
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json")
        if int(headers.get(b"content-length", 0)) > self._max_body_bytes:
            raise self._too_large()
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            pieces.append(message.get("body", b""))
            size, more = size + len(pieces[-1]), message.get("more_body", False)
            if size > self._max_body_bytes:
                raise self._too_large()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _too_large(self) -> _RefusedError:
        return _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {self._max_body_bytes} bytes")


def _is_json(content_type: bytes) -> bool:
    """Whatever its case and parameters."""
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


async def _gone(receive: Receive) -> None:
    """Return when the caller has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _respond(send: Send, status: HTTPStatus, body: bytes, *headers: Header) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status.value, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
