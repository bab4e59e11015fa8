"""Parts of the HTTP server by themselves: rates, files, bytes of responses, routes."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.time import NS
from pychain.http import limiter as limiter_module
from pychain.http.assets import Asset, load_assets
from pychain.http.guard import BasicAuth, HostGuard, credential
from pychain.http.limiter import BURST_S, RateLimiter
from pychain.http.message import Handler, Request, Response, RouteDef, line
from pychain.http.render import render
from pychain.http.router import Router

STRANGER = "192.0.2.7"


class NobodyWaits:
    """A caller for handlers that answer at once."""

    def waits(self, waiting: bool) -> None:
        pytest.fail("this answer is there at once")


def request(method: str = "GET", target: str = "/", remote: str = "", **headers: str) -> Request:
    sent = {b"host": b"localhost"} | {
        name.replace("_", "-").encode(): value.encode() for name, value in headers.items()
    }
    return Request(method.encode(), target.encode(), sent, remote, NobodyWaits())


# --- rates


class Time:
    """A clock that stands still until it is set."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ns = NS
        patch.setattr(limiter_module.time, "monotonic_ns", lambda: self.ns)

    def allowed(self, limiter: RateLimiter, remote: str, tries: int) -> int:
        return sum(limiter.allows(remote) for _ in range(tries))


def test_a_burst_is_allowed_and_then_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    time, limiter = Time(monkeypatch), RateLimiter(10)
    assert time.allowed(limiter, STRANGER, 100) == 10 * BURST_S
    time.ns += NS // 2
    assert time.allowed(limiter, STRANGER, 100) == 5
    time.ns += 3600 * NS
    assert time.allowed(limiter, STRANGER, 100) == 10 * BURST_S, "what was saved up is bounded"


@given(rate=st.integers(1, 1000), gaps=st.lists(st.integers(0, NS), min_size=1, max_size=60))
def test_no_one_gets_more_than_the_rate_and_one_burst(rate: int, gaps: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        time, limiter = Time(patch), RateLimiter(rate)
        allowed = 0
        for gap in gaps:
            time.ns += gap
            allowed += time.allowed(limiter, STRANGER, 5)
        assert allowed <= rate * BURST_S + sum(gaps[1:]) * rate / NS + 1


def test_nobody_is_counted_without_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    assert time.allowed(RateLimiter(0), STRANGER, 1000) == 1000


def test_one_subscriber_of_ipv6_is_one_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    time, limiter = Time(monkeypatch), RateLimiter(1)
    found = [time.allowed(limiter, f"2001:db8::{number:x}", 1) for number in range(1, 50)]
    assert sum(found) == BURST_S
    assert time.allowed(limiter, "2001:db8:0:1::1", 1) == 1
    assert time.allowed(limiter, "fe80::1%eth0", 1) == 1


def test_the_table_of_callers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "MAX_ADDRESSES", 3)
    time, limiter = Time(monkeypatch), RateLimiter(1)
    for number in range(1, 100):
        assert time.allowed(limiter, f"192.0.2.{number}", 9) == BURST_S
    assert time.allowed(limiter, "192.0.2.99", 9) == 0, "the last ones are remembered"
    assert time.allowed(limiter, "192.0.2.1", 9) == BURST_S


# --- routes


def answer(text: str) -> Handler:
    return lambda request: Response(200, text.encode())


def router(*, open_reads: bool = True, rate: int = 0) -> Router:
    made = Router(HostGuard(), BasicAuth({"zoe": credential("secret")}), RateLimiter(rate), open_reads=open_reads)
    made.mount(
        [
            RouteDef("GET", "/", answer("page")),
            RouteDef("POST", "/", answer("call"), locked=True, body_limit=10),
            RouteDef("GET", "/a/", answer("below"), below=True),
            RouteDef("GET", "/a/b", answer("exact")),
        ]
    )
    return made


def ask(made: Router, asked: Request) -> tuple[int, str]:
    served = made.route(asked).serve(asked)
    if not isinstance(served, Response):

        async def waited() -> Any:
            return await served  # type: ignore[misc]

        served = asyncio.run(waited())
    assert isinstance(served, Response)
    return served.status, served.body.decode()


LOGIN = "Basic em9lOnNlY3JldA=="


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(), (200, "page")),
        (request("HEAD"), (200, "page")),
        (request(target="/?x=/a/b"), (200, "page")),
        (request(target="/a/b"), (200, "exact")),
        (request(target="/a/b?x"), (200, "exact")),
        (request(target="/a/c"), (200, "below")),
        (request(target="/a/"), (200, "below")),
        (request("POST", authorization=LOGIN, content_type="application/json"), (200, "call")),
    ],
)
def test_requests_are_routed(asked: Request, expected: tuple[int, str]) -> None:
    assert ask(router(), asked) == expected


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (request(target="/a"), 404),
        (request(target="/b"), 404),
        (request("PUT"), 405),
        (request("POST", target="/a/b"), 405),
        (request("POST"), 401),
        (request("POST", authorization=LOGIN), 415),
        (request(host="attacker.example"), 403),
    ],
)
def test_unknown_routes_are_refused(asked: Request, status: int) -> None:
    assert ask(router(), asked)[0] == status


def test_reads_may_need_a_password_too() -> None:
    closed = router(open_reads=False)
    assert ask(closed, request())[0] == 401
    assert ask(closed, request(authorization=LOGIN)) == (200, "page")


def test_strangers_are_held_to_a_rate() -> None:
    held = router(rate=1)
    found = [ask(held, request(remote=STRANGER))[0] for _ in range(10)]
    assert found == [200] * BURST_S + [429] * (10 - BURST_S)
    assert ask(held, request())[0] == 200


# --- responses


def test_the_bytes_of_a_response() -> None:
    head, _, body = render(line(HTTPStatus.NOT_FOUND, "nothing", (b"x-one", b"1")), keep_alive=False).partition(
        b"\r\n\r\n"
    )
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 404 Not Found"
    assert {"content-type: text/plain; charset=utf-8", "x-one: 1", "content-length: 8", "connection: close"} <= {*lines}
    assert any(each.startswith("date: ") and each.endswith(" GMT") for each in lines)
    assert body == b"nothing\n"


def test_what_has_no_body_has_none() -> None:
    assert render(Response(200, b"text"), keep_alive=True, body=False).endswith(b"content-length: 4\r\n\r\n")
    assert b"content-length" not in render(Response(204, b"", ()), keep_alive=True)


# --- files


def test_files_below_a_directory_are_served_under_their_names(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name in ("index.html", "app.js", "parts/style.css", "notes.py", ".hidden"):
        (tmp_path / name).write_text(name)
    found: dict[str, Asset] = {}
    found = {each.path: each.handler for each in load_assets(tmp_path, "/x/")}
    assert sorted(found) == ["/x", "/x/", "/x/app.js", "/x/index.html", "/x/parts/style.css"]
    page = found["/x"](request())
    assert isinstance(page, Response)
    assert page.body == b"index.html"
    assert list(load_assets(tmp_path / "nowhere", "/")) == []


def test_a_file_is_not_sent_to_who_has_it() -> None:
    asset = Asset("app.js", b"let x;")
    whole = asset.serve(request())
    tag = dict(whole.headers)[b"etag"].decode()
    assert asset.serve(request(if_none_match=tag)).status == 304
    assert Asset("app.js", b"let y;").serve(request(if_none_match=tag)).status == 200
