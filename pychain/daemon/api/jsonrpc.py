"""JSON-RPC over one body: requests and batches in, the answer's bytes and HTTP status out.

A request with `"jsonrpc": "2.0"` is served by that specification; any other as Bitcoin Core serves its 1.x clients:
both `result` and `error` in the answer, the kind of error in the HTTP status, and an answer for a missing id too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from pychain.base.errors import PychainError
from pychain.base.time import NS
from pychain.daemon.api.errors import Code, RpcError
from pychain.daemon.api.method import Method

_log = logging.getLogger(__name__)

MAX_BATCH_CALLS = 1_000
"""Enough for any honest batch; bounds what one request can make the node do and answer."""
MAX_METHOD_CHARACTERS = 64
"""How much of an unknown method's name is repeated to the caller."""
_SLICE_NS = NS // 200
"""After 5 ms of a batch the loop has a turn."""


Gone = Callable[[], Awaitable[None]]


class Answer(NamedTuple):
    """What goes back over HTTP; `body` is empty for notifications."""

    status: HTTPStatus
    body: bytes


class _Request(msgspec.Struct):
    """A request object, its parts not judged yet; other members are ignored, as Core does."""

    jsonrpc: Any = None
    id: Any = msgspec.UNSET
    method: Any = None
    params: Any = None

    @property
    def is_2(self) -> bool:
        return bool(self.jsonrpc == "2.0")

    @property
    def is_notification(self) -> bool:
        return self.is_2 and self.id is msgspec.UNSET


class _Error(msgspec.Struct):
    code: int
    message: str


class _Result2(msgspec.Struct):
    result: Any
    id: Any
    jsonrpc: str = "2.0"


class _Failure2(msgspec.Struct):
    error: _Error
    id: Any
    jsonrpc: str = "2.0"


class _Answer1(msgspec.Struct):
    result: Any
    error: _Error | None
    id: Any


_STATUS_1 = {
    Code.INVALID_REQUEST: HTTPStatus.BAD_REQUEST,
    Code.METHOD_NOT_FOUND: HTTPStatus.NOT_FOUND,
}
"""Core's statuses for the errors of 1.x; every other one is 500."""

_body_decoder = msgspec.json.Decoder()
_request_decoder = msgspec.json.Decoder(_Request)
_encode = msgspec.json.Encoder().encode


class JsonRpc:
    """Serves a table of methods; `context` is the first argument of each."""

    def __init__(self, methods: Mapping[str, Method], context: object) -> None:
        self._methods = methods
        self._context = context

    async def serve(self, body: bytes, gone: Gone) -> Answer:
        """Carry out a body's request or batch. `gone` returns when the caller hangs up: nobody waits then."""
        try:
            request = _request_decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return await self._serve_other(body, gone)
        status, answer = await self._answer(request, gone)
        if request.is_notification:
            return Answer(HTTPStatus.NO_CONTENT, b"")
        return Answer(status, _encode(answer))

    async def _serve_other(self, body: bytes, gone: Gone) -> Answer:
        """A body that is no request object: a batch, or an error."""
        try:
            document = _body_decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _refusal(Code.PARSE_ERROR, "the body is not JSON")
        if not isinstance(document, list):
            return _refusal(Code.INVALID_REQUEST, "a request is an object, a batch is a list of them")
        if not document:
            return _refusal(Code.INVALID_REQUEST, "the batch is empty")
        if len(document) > MAX_BATCH_CALLS:
            return _refusal(Code.INVALID_REQUEST, f"a batch has at most {MAX_BATCH_CALLS} calls")
        answers = []
        turn_ends_ns = time.monotonic_ns() + _SLICE_NS
        for part in document:
            try:
                request = msgspec.convert(part, _Request)
            except msgspec.ValidationError:
                answers.append(_encode(_Failure2(_Error(Code.INVALID_REQUEST, "a request is an object"), None)))
                continue
            _, answer = await self._answer(request, gone)
            if not request.is_notification:
                answers.append(_encode(answer))
            if time.monotonic_ns() >= turn_ends_ns:
                await asyncio.sleep(0)
                turn_ends_ns = time.monotonic_ns() + _SLICE_NS
        if not answers:
            return Answer(HTTPStatus.NO_CONTENT, b"")
        return Answer(HTTPStatus.OK, b"[" + b",".join(answers) + b"]")

    async def _answer(self, request: _Request, gone: Gone) -> tuple[HTTPStatus, _Result2 | _Failure2 | _Answer1]:
        request_id = None if request.id is msgspec.UNSET else request.id
        is_2 = request.is_2
        try:
            if isinstance(request_id, (list, dict, bool)):
                request_id = None
                raise RpcError(Code.INVALID_REQUEST, "the id is a string, a number or null")
            method = self._method(request.method)
            arguments = method.bind(request.params)
            try:
                result = method.function(self._context, *arguments)
                if method.waits:
                    result = await self._wait(result, gone)
                elif method.is_async:
                    result = await result
            except Exception as error:
                raise _told(method.name, error) from None
        except RpcError as error:
            failure = _Error(error.code, error.message)
            if is_2:
                return HTTPStatus.OK, _Failure2(failure, request_id)
            return _STATUS_1.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR), _Answer1(None, failure, request_id)
        return HTTPStatus.OK, _Result2(result, request_id) if is_2 else _Answer1(result, None, request_id)

    def _method(self, name: object) -> Method:
        if not isinstance(name, str):
            raise RpcError(Code.INVALID_REQUEST, "method is missing or no string")
        method = self._methods.get(name)
        if method is None:
            shown = name[:MAX_METHOD_CHARACTERS]
            raise RpcError(Code.METHOD_NOT_FOUND, f"method '{shown}' is unknown; help lists all there are")
        return method

    async def _wait(self, method: Awaitable[Any], gone: Gone) -> Any:
        """The result of a method that may take for ever, unless its caller gives up first."""
        work = asyncio.ensure_future(method)
        caller = asyncio.ensure_future(gone())
        try:
            await asyncio.wait((work, caller), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise RpcError(Code.MISC_ERROR, "the caller hung up")
            return work.result()
        finally:
            work.cancel()
            caller.cancel()


def _told(method: str, error: Exception) -> RpcError:
    """What the caller is told of an exception in a method; a bug's traceback is the log's."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, PychainError):
        return RpcError(Code.MISC_ERROR, str(error))
    if isinstance(error, OSError):
        _log.error("%s failed: %s", method, error)
        return RpcError(Code.MISC_ERROR, f"the node's disk or network failed: {error}")
    _log.error("internal error in %s", method, exc_info=error)
    return RpcError(Code.INTERNAL_ERROR, f"internal error: {type(error).__name__} (the node's log has more)")


def _refusal(code: Code, message: str) -> Answer:
    """The answer to a body that is no request at all: nothing tells its version, so it is 2.0's, with Core's status."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR if code is Code.PARSE_ERROR else HTTPStatus.BAD_REQUEST
    return Answer(status, _encode(_Failure2(_Error(code, message), None)))
