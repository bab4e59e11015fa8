"""Access control: hosts against DNS rebinding, and passwords."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import ConfigError
from pychain.http.guard import MAX_ACCEPTED, BasicAuth, HostGuard, credential, parse_credential


def basic(text: str | bytes) -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    return b"Basic " + base64.b64encode(raw)


@pytest.mark.parametrize(
    "host",
    [
        b"127.0.0.1",
        b"127.0.0.1:33701",
        b"127.8.9.10:80",
        b"localhost",
        b"LOCALHOST:1",
        b"localhost.:1",
        b"[::1]",
        b"[::1]:33701",
        b"node.example",
        b"Node.Example:8080",
        b"192.0.2.7:80",
        b"[2001:db8::7]:80",
    ],
)
def test_loopback_and_configured_hosts_may_be_called(host: bytes) -> None:
    guard = HostGuard(["node.example", "192.0.2.7", "[2001:db8::7]"])
    assert guard.allows(host)
    assert guard.allows(host), "and again, when it is known"


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"attacker.example",
        b"localhost.attacker.example",
        b"127.0.0.1.attacker.example",
        b"attacker.example:127.0.0.1",
        b"127.0.0.1@attacker.example",
        b"127.0.0.1:80@attacker.example",
        b"192.0.2.8",
        b"0.0.0.0",
        b"[::]",
        b"[::1",
        b"[::1]x",
        b"::1",
        b"local host",
        b"\xff",
        b"127.0.0.1:" + b"1" * 1000,
    ],
)
def test_any_other_host_is_refused(host: bytes) -> None:
    assert not HostGuard(["node.example"]).allows(host)


@given(host=st.binary(max_size=40))
def test_no_host_makes_the_guard_stumble(host: bytes) -> None:
    assert HostGuard().allows(host) in (True, False)


AUTH = BasicAuth({"__cookie__": credential("c0ffee"), "zoe": credential("päss:word")})


@pytest.mark.parametrize(
    "header",
    [
        basic("__cookie__:c0ffee"),
        basic("zoe:päss:word"),
        b"basic " + basic("__cookie__:c0ffee")[6:],
        b"Basic  " + basic("__cookie__:c0ffee")[6:],
    ],
)
def test_known_users_come_in(header: bytes) -> None:
    assert AUTH.allows(header)
    assert AUTH.allows(header), "and again, when they are known"


def test_many_ways_to_write_one_password_are_not_all_remembered() -> None:
    auth = BasicAuth({"zoe": credential("secret")})
    headers = [b"Basic" + b" " * count + basic("zoe:secret")[6:] for count in range(1, 3 * MAX_ACCEPTED)]
    assert all(auth.allows(header) for header in headers)
    assert not auth.allows(basic("zoe:secre"))


def test_a_password_is_kept_as_core_keeps_it() -> None:
    # HMAC-SHA256 under the salt's text, as share/rpcauth/rpcauth.py has it; the vector is RFC 4231's second.
    kept = credential("what do ya want for nothing?", salt="Jefe")
    assert kept.digest == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    drawn = credential("secret")
    assert drawn != credential("secret"), "each has a salt of its own"
    assert parse_credential(str(drawn)) == drawn
    assert parse_credential(f"{drawn.salt}${drawn.digest.upper()}") == drawn


@pytest.mark.parametrize("text", ["", "secret", "$", "ab$", "$" + "0" * 64, "ab$" + "0" * 63, "zz$" + "0" * 64])
def test_a_password_in_the_clear_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match="salt\\$hmac"):
        parse_credential(text)


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"Basic",
        b"Basic !!!",
        b"Basic " + b"=" * 7,
        b"Bearer c0ffee",
        basic(""),
        basic(":"),
        basic("__cookie__"),
        basic("__cookie__:"),
        basic("__cookie__:c0ffe"),
        basic("__cookie__:c0ffee "),
        basic("zoe:c0ffee"),
        basic(b"\xff\xfe"),
    ],
)
def test_nobody_else_does(header: bytes | None) -> None:
    assert not AUTH.allows(header)


@given(header=st.binary(max_size=60))
def test_no_header_lets_a_stranger_in(header: bytes) -> None:
    assert not AUTH.allows(header)
