"""JSON-RPC over one HTTP body: requests and batches in, the response's bytes and HTTP status out.

A request with `"jsonrpc": "2.0"` follows that specification; any other is served as Bitcoin Core serves its 1.x
clients: both `result` and `error` in the answer, an HTTP status by error, and an answer even if the id is missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from pychain.api.errors import Code, RpcError, told
from pychain.api.meters import CallMeter
from pychain.api.method import Method
from pychain.api.runtime import Clock
from pychain.base.time import NS
from pychain.http.message import JSON, SNIFF_NOT, Caller, Response
from pychain.http.message import Request as HttpRequest

MAX_BATCH_CALLS = 1_000
"""Enough for any honest batch; it bounds the work and the answers that one request can cause."""
MAX_BATCH_ANSWER_BYTES = 64_000_000
"""Once a batch's answers exceed this, no further calls are executed: the whole answer is held in memory."""
UNKNOWN = "unknown"
"""The name under which calls of unknown methods are counted."""
MAX_METHOD_CHARACTERS = 64
"""How much of an unknown method's name is echoed to the caller."""
_SLICE_NS = NS // 200
"""After 5 ms of a batch, yield to everything else."""

HEADERS = (JSON, SNIFF_NOT)


class _Request(msgspec.Struct):
    """A request object, not yet checked; other members are ignored, as in Core."""

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


class _Done(msgspec.Struct, gc=False):
    """An executed call: its encoded answer, and the HTTP status if it is alone in a body."""

    status: HTTPStatus
    body: bytes
    failed: bool


_NOTHING = Response(HTTPStatus.NO_CONTENT, b"", ())
"""The answer to notifications."""
_OK = HTTPStatus.OK
_STATUS_1 = {
    Code.INVALID_REQUEST: HTTPStatus.BAD_REQUEST,
    Code.METHOD_NOT_FOUND: HTTPStatus.NOT_FOUND,
}
"""Core's statuses for errors of 1.x; all others are 500."""

_body_decoder = msgspec.json.Decoder()
_request_decoder = msgspec.json.Decoder(_Request)
_encode = msgspec.json.Encoder().encode


class JsonRpc:
    """Serves a table of methods; `context` is the first argument of each."""

    def __init__(self, methods: Mapping[str, Method], context: object, meter: CallMeter, clock: Clock) -> None:
        self._methods = methods
        self._context = context
        self._meter = meter
        self._mono_ns = clock.mono_ns
        self._sleep = clock.sleep

    def serve(self, http: HttpRequest) -> Response | Awaitable[Response]:
        """Execute a body's request or batch, at once if nothing has to wait."""
        try:
            request = _request_decoder.decode(http.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._serve_other(http.body, http.caller)
        outcome = self._begin(request, http.caller)
        return _respond(request, outcome) if isinstance(outcome, _Done) else self._finish(request, outcome)

    async def _finish(self, request: _Request, outcome: Awaitable[_Done]) -> Response:
        return _respond(request, await outcome)

    async def _serve_other(self, body: bytes, caller: Caller) -> Response:
        """A body that is not a request object: a batch, or an error."""
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
        answers: list[bytes] = []
        room = MAX_BATCH_ANSWER_BYTES
        turn_ends_ns = self._mono_ns() + _SLICE_NS
        for part in document:
            try:
                request = msgspec.convert(part, _Request)
            except msgspec.ValidationError:
                answers.append(_encode(_Failure2(_Error(Code.INVALID_REQUEST, "a request is an object"), None)))
                continue
            if room <= 0:
                done = _failed(
                    request, RpcError(Code.MISC_ERROR, "the batch's previous answers reached its size limit")
                )
            else:
                outcome = self._begin(request, caller)
                done = outcome if isinstance(outcome, _Done) else await outcome
            if not request.is_notification:
                answers.append(done.body)
                room -= len(done.body)
            if self._mono_ns() >= turn_ends_ns:
                await self._sleep(0)
                turn_ends_ns = self._mono_ns() + _SLICE_NS
        if not answers:
            return _NOTHING
        return Response(HTTPStatus.OK, b"[" + b",".join(answers) + b"]", HEADERS)

    def _begin(self, request: _Request, caller: Caller) -> _Done | Awaitable[_Done]:
        """Call a method. An exception becomes the answer's error; a result is encoded at once."""
        name = UNKNOWN
        began_ns = self._mono_ns()
        try:
            if isinstance(request.id, (list, dict, bool)):
                request.id = None
                raise RpcError(Code.INVALID_REQUEST, "the id is a string, a number or null")
            method = self._method(request.method)
            name = method.name
            result = method.function(self._context, *method.bind(request.params))
            if method.is_async:
                return self._await(request, method, result, caller, began_ns)
            done = _succeeded(request, result)
        except Exception as error:
            done = _failed(request, told(name, error))
        self._meter.done(name, self._mono_ns() - began_ns, failed=done.failed)
        return done

    async def _await(
        self, request: _Request, method: Method, result: Awaitable[Any], caller: Caller, began_ns: int
    ) -> _Done:
        failed = True  # as it stays if the caller disconnects
        try:
            done = _succeeded(request, await (_while_there(result, caller) if method.waits else result))
            failed = False
        except Exception as error:
            done = _failed(request, told(method.name, error))
        finally:
            self._meter.done(method.name, self._mono_ns() - began_ns, failed=failed)
        return done

    def _method(self, name: object) -> Method:
        if not isinstance(name, str):
            raise RpcError(Code.INVALID_REQUEST, "method is missing or not a string")
        method = self._methods.get(name)
        if method is None:
            shown = name[:MAX_METHOD_CHARACTERS]
            raise RpcError(Code.METHOD_NOT_FOUND, f"method '{shown}' is unknown; help lists all methods")
        return method


async def _while_there(result: Awaitable[Any], caller: Caller) -> Any:
    """The result of a method that may wait for ever, unless its caller disconnects first."""
    caller.waits(True)
    try:
        return await result
    finally:
        caller.waits(False)


def _succeeded(request: _Request, result: Any) -> _Done:
    request_id = None if request.id is msgspec.UNSET else request.id
    answer = _Result2(result, request_id) if request.is_2 else _Answer1(result, None, request_id)
    return _Done(_OK, _encode(answer), False)


def _failed(request: _Request, error: RpcError) -> _Done:
    request_id = None if request.id is msgspec.UNSET else request.id
    failure = _Error(error.code, error.message)
    if request.is_2:
        return _Done(HTTPStatus.OK, _encode(_Failure2(failure, request_id)), True)
    status = _STATUS_1.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    return _Done(status, _encode(_Answer1(None, failure, request_id)), True)


def _respond(request: _Request, done: _Done) -> Response:
    return _NOTHING if request.is_notification else Response(done.status, done.body, HEADERS)


def _refusal(code: Code, message: str) -> Response:
    """The answer to a body that is no request at all: nothing tells its version, so it is 2.0's, with Core's status."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR if code is Code.PARSE_ERROR else HTTPStatus.BAD_REQUEST
    return Response(status, _encode(_Failure2(_Error(code, message), None)), HEADERS)
