"""Configured users, and reads with a password: from the command that creates a user to the node that accepts it."""

from __future__ import annotations

import base64
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from pychain.daemon.settings import load_settings
from tests.api.node import ApiNode
from tests.api.web import get
from tests.cli.run import Shell


def login(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_a_user_is_made_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(capsys)
    made = shell.ok("rpc-auth", "alice", "--json").json
    user = load_settings({"api_users": [made["api_users"]]}, {}).api_users["alice"]
    assert user.fits(made["password"].encode())
    assert not user.fits(b"")
    assert made["password"] not in made["api_users"]
    assert shell.ok("rpc-auth", "alice", "--json").json != made
    line = tomllib.loads(shell.ok("rpc-auth", "bob").out)["api_users"]
    assert line[0].startswith("bob:")


def test_a_chosen_password_is_not_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("correct horse\n")
    out = Shell(capsys).ok("rpc-auth", "alice", "--password-file", str(file)).out
    (line,) = tomllib.loads(out)["api_users"]
    assert load_settings({"api_users": [line]}, {}).api_users["alice"].fits(b"correct horse")
    assert "correct" not in out
    assert Shell(capsys)("rpc-auth", "a:b").code == 2


def test_the_node_lets_a_configured_user_in(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = Shell(capsys).ok("rpc-auth", "alice", "--json").json
    directory = tmp_path / "node"
    with ApiNode(directory, api_users=[made["api_users"]], api_open_reads=False) as node:
        cookie = login(*(directory / ".cookie").read_text().split(":"))
        alice = login("alice", made["password"])
        for authorization in (cookie, alice):
            with closing(node.as_user(authorization)) as caller:
                assert caller.call("getblockcount") == 0
        for target in ("/api/v1/status", "/metrics", "/docs/", "/openapi.json", "/api/v1/events?types=nothing"):
            assert get(node.base, target).status == 401
            assert get(node.base, target, authorization=login("alice", "wrong")).status == 401
            assert get(node.base, target, authorization=alice).status in (200, 400)
