"""JSON-RPC by itself: both dialects, batches, notifications, parameters, and bodies that are anything at all."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Meta

from pychain.api.errors import Code, RpcError
from pychain.api.jsonrpc import MAX_BATCH_CALLS, JsonRpc
from pychain.api.meters import CallMeter
from pychain.api.method import Group, table
from pychain.base.errors import DecodeError
from pychain.daemon.clock import Clock
from pychain.http.message import Request, Response

group = Group("test", "Methods to be called")
dev_group = Group("dev", "Methods of dev networks", dev_only=True)


class Context:
    """The context of these tests' methods."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.released = asyncio.Event()


@group.method()
def add(context: Context, one: int, two: Annotated[int, Meta(ge=0)] = 10) -> int:
    """Add two numbers."""
    context.calls.append("add")
    return one + two


@group.method()
async def echo(context: Context, value: str, mode: Literal["up", "down"] = "up") -> str:
    """Give a text back."""
    context.calls.append("echo")
    await asyncio.sleep(0)
    return value.upper() if mode == "up" else value.lower()


@group.method()
def fail(context: Context, how: str) -> None:
    """Fail in some way."""
    raise {
        "rpc": RpcError(Code.INVALID_ADDRESS_OR_KEY, "no such thing"),
        "input": DecodeError("bad input"),
        "disk": OSError(28, "No space left on device"),
        "bug": ZeroDivisionError("secret detail"),
    }[how]


@group.method(waits=True)
async def wait(context: Context) -> str:
    """Wait for ever."""
    try:
        await context.released.wait()
    except asyncio.CancelledError:
        context.calls.append("cancelled")
        raise
    return "released"


@dev_group.method()
def secret(context: Context) -> int:
    """Only on dev networks."""
    return 42


class Caller:
    """Records when its answer may wait for ever."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    def waits(self, waiting: bool) -> None:
        self.told.append(waiting)


def rpc_of(groups: list[Group], context: Context, *, dev: bool = False) -> JsonRpc:
    return JsonRpc(table(groups, dev=dev), context, CallMeter(), Clock())


def served_by(rpc: JsonRpc, body: bytes, caller: Caller) -> asyncio.Future[Response]:
    """Serve a body, whether at once or in time."""
    served = rpc.serve(Request(b"POST", b"/", {}, "", caller, body=body))
    if isinstance(served, Response):
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        done.set_result(served)
        return done
    return asyncio.ensure_future(served)


def serve(body: bytes | object, context: Context | None = None, *, dev: bool = True) -> tuple[int, bytes]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def run() -> tuple[int, bytes]:
        rpc = rpc_of([group, dev_group], context or Context(), dev=dev)
        response = await served_by(rpc, raw, Caller())
        return response.status, response.body

    return asyncio.run(run())


def call(method: str, params: Any = (), **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params, **more}


def answer(body: bytes | object, **options: Any) -> Any:
    status, text = serve(body, **options)
    assert status == HTTPStatus.OK
    return json.loads(text)


def error(body: bytes | object, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer(body, **options)["error"]
    assert "\n" not in found["message"]
    return found


# --- version 2.0, its specification's examples in our methods


def test_positional_and_named_parameters_mean_the_same() -> None:
    expected = {"jsonrpc": "2.0", "result": 42, "id": 7}
    assert answer(call("add", [23, 19])) == expected
    assert answer(call("add", {"two": 19, "one": 23})) == expected


def test_defaults_hold_where_a_parameter_is_left_out_or_null() -> None:
    assert answer(call("add", [1]))["result"] == 11
    assert answer(call("add", [1, None]))["result"] == 11
    assert answer(call("add", {"one": 1}))["result"] == 11
    assert answer({"jsonrpc": "2.0", "id": 1, "method": "secret"})["result"] == 42


def test_a_method_may_be_asynchronous() -> None:
    assert answer(call("echo", ["Hi", "down"]))["result"] == "hi"


@pytest.mark.parametrize("request_id", [0, -1, 1.5, "abc", None])
def test_the_id_comes_back_as_it_was(request_id: object) -> None:
    assert answer(call("add", [1, 2], id=request_id)) == {"jsonrpc": "2.0", "result": 3, "id": request_id}


@pytest.mark.parametrize("request_id", [[], {}, True])
def test_an_id_of_another_kind_is_no_request(request_id: object) -> None:
    found = answer(call("add", [1, 2], id=request_id))
    assert (found["error"]["code"], found["id"]) == (-32600, None)


def test_a_notification_is_carried_out_and_not_answered() -> None:
    context = Context()
    assert serve({"jsonrpc": "2.0", "method": "add", "params": [1, 2]}, context) == (HTTPStatus.NO_CONTENT, b"")
    assert context.calls == ["add"]
    assert serve({"jsonrpc": "2.0", "method": "nothing"}) == (HTTPStatus.NO_CONTENT, b"")


@pytest.mark.parametrize(
    ("request_", "code", "line"),
    [
        (call("nothing"), -32601, "method 'nothing' is unknown"),
        (call("x" * 100), -32601, "x" * 64 + "'"),
        ({"jsonrpc": "2.0", "id": 1}, -32600, "method is missing"),
        ({**call("add", [1]), "method": 5}, -32600, "method is missing or not a string"),
        (call("add", []), -32602, "parameter 'one' is missing: add one [two=10]"),
        (call("add", {"two": 1}), -32602, "parameter 'one' is missing"),
        (call("add", [1, 2, 3]), -32602, "too many parameters: add one [two=10]"),
        (call("add", {"one": 1, "three": 3}), -8, "there is no parameter 'three'"),
        (call("add", ["1"]), -3, "Expected `int`, got `str`"),
        (call("add", [1, -1]), -8, "Expected `int` >= 0"),
        (call("echo", ["a", "sideways"]), -8, "Invalid enum value 'sideways'"),
        (call("add", "text"), -32600, "neither a list nor an object"),
        (call("add", 5), -32600, "neither a list nor an object"),
        (call("add", ""), -32600, "neither a list nor an object"),
        (call("add", False), -32600, "neither a list nor an object"),
        (call("fail", ["rpc"]), -5, "no such thing"),
        (call("fail", ["input"]), -1, "bad input"),
        (call("fail", ["disk"]), -1, "No space left on device"),
    ],
)
def test_errors_have_their_documented_codes(request_: object, code: int, line: str) -> None:
    found = error(request_)
    assert found["code"] == code
    assert line in found["message"]


def test_a_bug_is_told_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    found = error(call("fail", ["bug"]))
    assert found["code"] == -32603
    assert "secret detail" not in found["message"]
    assert "secret detail" in caplog.text


def test_methods_of_dev_networks_are_unknown_elsewhere() -> None:
    assert error(call("secret"), dev=False)["code"] == -32601


# --- version 1, as Bitcoin Core serves it


@pytest.mark.parametrize("version", [{}, {"jsonrpc": "1.0"}, {"version": "1.1"}, {"jsonrpc": 2}])
def test_other_requests_get_both_result_and_error(version: dict[str, object]) -> None:
    request = {"id": "x", "method": "add", "params": [1, 2], **version}
    assert answer(request) == {"result": 3, "error": None, "id": "x"}


def test_in_version_1_there_are_no_notifications() -> None:
    assert answer({"method": "add", "params": [1, 2]}) == {"result": 3, "error": None, "id": None}


@pytest.mark.parametrize(
    ("method", "params", "status", "code"),
    [
        ("nothing", [], HTTPStatus.NOT_FOUND, -32601),
        ("add", [], HTTPStatus.INTERNAL_SERVER_ERROR, -32602),
        ("add", "text", HTTPStatus.BAD_REQUEST, -32600),
        ("fail", ["rpc"], HTTPStatus.INTERNAL_SERVER_ERROR, -5),
    ],
)
def test_in_version_1_the_http_status_tells_of_errors(method: str, params: object, status: int, code: int) -> None:
    found_status, text = serve({"id": 3, "method": method, "params": params})
    found = json.loads(text)
    assert (found_status, found["error"]["code"], found["result"], found["id"]) == (status, code, None, 3)


# --- batches


def test_a_batch_answers_in_order_and_leaves_notifications_out() -> None:
    batch = [
        call("add", [1, 2], id="first"),
        {"jsonrpc": "2.0", "method": "add", "params": [3, 4]},
        5,
        call("nothing", id="third"),
        {"id": "old", "method": "add", "params": [5, 6]},
    ]
    found = answer(batch)
    assert [each["id"] for each in found] == ["first", None, "third", "old"]
    assert found[0]["result"] == 3
    assert found[1]["error"]["code"] == -32600
    assert found[2]["error"]["code"] == -32601
    assert found[3] == {"result": 11, "error": None, "id": "old"}


def test_a_batch_of_notifications_is_not_answered() -> None:
    note = {"jsonrpc": "2.0", "method": "add", "params": [3, 4]}
    assert serve([note, note]) == (HTTPStatus.NO_CONTENT, b"")


@pytest.mark.parametrize("batch", [[], [call("add", [1])] * (MAX_BATCH_CALLS + 1)])
def test_a_batch_has_a_bounded_number_of_calls(batch: list[object]) -> None:
    status, text = serve(batch)
    assert status == HTTPStatus.BAD_REQUEST
    assert json.loads(text)["error"]["code"] == -32600
    assert len(answer([call("add", [1])] * MAX_BATCH_CALLS)) == MAX_BATCH_CALLS


# --- waiting


def test_the_server_knows_which_answers_may_take_for_ever() -> None:
    async def run() -> None:
        context, caller, meter = Context(), Caller(), CallMeter()
        rpc = JsonRpc(table([group], dev=False), context, meter, Clock())
        serving = served_by(rpc, json.dumps([call("add", [1]), call("echo", ["a"]), call("wait")]).encode(), caller)
        for _ in range(5):  # turns, of which the calls before it take one
            await asyncio.sleep(0)
        assert context.calls == ["add", "echo"]
        assert caller.told == [True]
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert context.calls == ["add", "echo", "cancelled"]
        assert caller.told == [True, False]
        assert meter.errors == {"wait": 1}

    asyncio.run(run())


def test_a_method_that_waits_gives_its_result_when_it_is_there() -> None:
    async def run() -> None:
        context = Context()
        serving = served_by(rpc_of([group], context), json.dumps(call("wait")).encode(), Caller())
        await asyncio.sleep(0)
        context.released.set()
        assert json.loads((await serving).body)["result"] == "released"

    asyncio.run(run())


# --- anything at all


@given(body=st.binary(max_size=200))
@example(b"")
@example(b"\xff\xfe")
@example(b"[" * 10_000)
@example(b'{"method":' * 5_000)
@example(b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b',"method":"add"}')
def test_a_body_that_is_no_request_gets_an_error_object(body: bytes) -> None:
    status, text = serve(body)
    assert status in (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)
    found = json.loads(text)
    assert found["error"]["code"] in (-32700, -32600)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(
    request=st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.sampled_from(["2.0", "1.0", 2, None]),
            "id": json_values,
            "method": st.sampled_from(["add", "echo", "fail", "secret", "nothing", 3, None]),
            "params": json_values | st.fixed_dictionaries({"one": json_values, "two": json_values}),
        },
    )
)
def test_any_object_is_answered_or_a_notification(request: dict[str, Any]) -> None:
    status, text = serve(request)
    if status == HTTPStatus.NO_CONTENT:
        assert (request["jsonrpc"], "id" in request, text) == ("2.0", False, b"")
        return
    found = json.loads(text)
    assert ("result" in found) != ("error" in found) or {"result", "error", "id"} == set(found)
    if found.get("error"):
        assert found["error"]["code"] in list(Code)
