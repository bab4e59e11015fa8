"""The miner's side of a connection without I/O: login, jobs, shares, and odd servers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pychain.chain.target import bits_from_target, target_from_bits
from pychain.stratum.client import (
    Assignment,
    ClientState,
    Event,
    Judged,
    LoggedIn,
    Lost,
    NewWork,
    PoolSession,
    Send,
    Share,
    Told,
)
from pychain.stratum.difficulty import searched_target
from pychain.stratum.jobs import Job, rolled_versions

JOB = Job("1f", b"\x11" * 32, b"\x01" * 50, b"\x02" * 30, (b"\x03" * 32,), 0x20000000, 0x1D00FFFF, 1_700_000_000, True)


class Dialogue:
    """A session, and its last request."""

    def __init__(self, roll_versions: bool = True) -> None:
        self.session = PoolSession("rig", "x", "tests/1.0", roll_versions=roll_versions)
        self.asked: list[dict[str, Any]] = []
        self.heard(self.session.open())

    def heard(self, events: list[Event]) -> list[Event]:
        self.asked += [json.loads(event.line) for event in events if isinstance(event, Send)]
        return [event for event in events if not isinstance(event, Send)]

    def told(self, method: str, *params: Any, call_id: int | None = None) -> list[Event]:
        return self.heard(
            self.session.receive(json.dumps({"id": call_id, "method": method, "params": params}).encode())
        )

    def answered(self, result: Any, error: Any = None) -> list[Event]:
        """Answer the last request."""
        message = {"id": self.asked[-1]["id"], "result": result, "error": error}
        return self.heard(self.session.receive(json.dumps(message).encode()))

    def log_in(self, mask: str | None = None, size: int = 4) -> Dialogue:
        if mask is not None:
            self.answered({"version-rolling": True, "version-rolling.mask": mask})
        elif self.session.state is ClientState.CONFIGURING:
            self.answered(None, [-3, "Method not found", None])
        self.answered([[["mining.notify", "s"]], "f000000f", size])
        assert self.answered(True) == [LoggedIn()]
        return self

    def work(self, job: Job = JOB) -> Assignment:
        [event] = self.told("mining.notify", *job.params())
        assert isinstance(event, NewWork)
        return event.assignment


def test_the_way_in() -> None:
    line = Dialogue()
    assert (line.asked[-1]["method"], line.asked[-1]["params"][0]) == ("mining.configure", ["version-rolling"])
    line.answered({"version-rolling": True, "version-rolling.mask": "1fffe000"})
    assert (line.asked[-1]["method"], line.asked[-1]["params"]) == ("mining.subscribe", ["tests/1.0"])
    line.answered([[["mining.notify", "s"]], "f000000f", 8])
    assert (line.asked[-1]["method"], line.asked[-1]["params"]) == ("mining.authorize", ["rig", "x"])
    line.answered(True)
    assert line.session.state is ClientState.WORKING
    assert len({ask["id"] for ask in line.asked}) == 3


def test_a_job_comes_with_all_that_a_search_needs() -> None:
    line = Dialogue().log_in(mask="00ffe000", size=8)
    line.told("mining.set_difficulty", 512)
    work = line.work()
    assert work.job == JOB
    assert (work.extranonce1, work.extranonce2_bytes) == (bytes.fromhex("f000000f"), 8)
    assert (work.difficulty, work.version_mask) == (512, 0x00FFE000)
    assert work.block_target == target_from_bits(JOB.bits)
    line.told("mining.set_extranonce", "aabb", 3)
    line.told("mining.set_version_mask", "00004000")
    later = line.work()
    assert (later.extranonce1, later.extranonce2_bytes, later.version_mask) == (b"\xaa\xbb", 3, 0x4000)


def test_a_block_is_a_share_whatever_the_server_says() -> None:
    line = Dialogue().log_in()
    line.told("mining.set_difficulty", 1024)
    easy = Job("1", b"\x11" * 32, b"", b"", (), 1, bits_from_target(2**250), 5, False)
    assert line.work(easy).target == target_from_bits(easy.bits)
    line.told("mining.set_difficulty", 0.001)
    assert line.work(JOB).target == searched_target(0.001)


@pytest.mark.parametrize("mask", [None, "1fffe000"])
def test_a_share_is_written_as_servers_read_it(mask: str | None) -> None:
    line = Dialogue().log_in(mask)
    share = Share(line.work(), b"\x00\x00\x00\x07", 0x65A00000, 0xDEADBEEF, 0x20004000, False)
    assert line.heard(line.session.submit(share)) == []
    params = ["rig", "1f", "00000007", "65a00000", "deadbeef"]
    assert (line.asked[-1]["method"], line.asked[-1]["params"]) == (
        "mining.submit",
        params if mask is None else [*params, "00004000"],
    )
    assert line.answered(True) == [Judged(share, None)]
    assert line.answered(True) == [], "nobody asked for a second answer"


@pytest.mark.parametrize(
    ("result", "error", "words"),
    [
        (None, [21, "Job not found", None], "Job not found (code 21)"),
        (False, [23, "low\ndifficulty", None], "low\\ndifficulty (code 23)"),
        (None, {"code": 22, "message": "dup"}, "dup (code 22)"),
        (None, "stale", "stale"),
        (False, None, "no reason given"),
        (True, [20, "yes and no", None], "yes and no (code 20)"),
        (None, [], "[]"),
    ],
)
def test_refusals_are_understood_in_every_form(result: Any, error: Any, words: str) -> None:
    line = Dialogue().log_in()
    share = Share(line.work(), b"\x00\x00\x00\x07", 0x65A00000, 0xDEADBEEF, 0x20004000, False)
    line.heard(line.session.submit(share))
    assert line.answered(result, error) == [Judged(share, words)]


def test_a_user_who_is_not_wanted_need_not_come_again() -> None:
    line = Dialogue(roll_versions=False)
    line.answered([[], "f000000f", 4])
    assert line.answered(False, [24, "who?", None]) == [Lost("the server refuses the user: who? (code 24)", final=True)]


def test_other_things_that_servers_say() -> None:
    line = Dialogue().log_in()
    assert line.told("client.show_message", "hello\x1b[2J") == [Told("hello\\x1b[2J")]
    [lost] = line.told("client.reconnect", "elsewhere.example", 3333, 0)
    assert isinstance(lost, Lost)
    assert not lost.final
    line.told("client.get_version", call_id=77)
    assert (line.asked[-1]["id"], line.asked[-1]["result"]) == (77, "tests/1.0")
    line.told("mining.ping", call_id=78)
    assert line.asked[-1]["result"] == "pong"
    assert line.told("mining.novelty", 1, 2) == []


def test_work_may_come_before_the_user_is_authorized_but_not_before_the_subscription() -> None:
    line = Dialogue(roll_versions=False)
    [lost] = line.told("mining.notify", *JOB.params())
    assert isinstance(lost, Lost)
    line = Dialogue(roll_versions=False)
    line.answered([[], "f000000f", 4])
    assert line.work().extranonce1 == bytes.fromhex("f000000f")


@pytest.mark.parametrize(
    "message",
    [
        b"HTTP/1.1 400 Bad Request",
        b'{"method":"mining.set_difficulty","params":[0]}',
        b'{"method":"mining.set_difficulty","params":[]}',
        b'{"method":"mining.set_extranonce","params":["zz",4]}',
        b'{"method":"mining.set_extranonce","params":["00",0]}',
        b'{"method":"mining.set_extranonce","params":["00",100]}',
        b'{"method":"mining.notify","params":["1"]}',
        b'{"id":1,"result":{"version-rolling":true},"error":null}',
    ],
)
def test_what_cannot_be_understood_ends_the_connection(message: bytes) -> None:
    line = Dialogue()
    [lost] = line.heard(line.session.receive(message))
    assert isinstance(lost, Lost)
    assert not lost.final


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
methods = st.sampled_from(
    [
        "mining.notify",
        "mining.set_difficulty",
        "mining.set_extranonce",
        "mining.set_version_mask",
        "client.show_message",
    ]
)
calls = st.fixed_dictionaries({"method": methods, "params": st.lists(json_values, max_size=10)})
answers = st.fixed_dictionaries({"id": st.integers(1, 5), "result": json_values, "error": json_values})
messages = calls | answers


@settings(max_examples=50, deadline=None)
@given(st.lists(messages.map(json.dumps).map(str.encode) | st.binary(max_size=60), max_size=10), st.booleans())
def test_whatever_a_server_says_becomes_events(lines: list[bytes], logged_in: bool) -> None:
    line = Dialogue()
    if logged_in:
        line.log_in()
        line.work()
    for each in lines:
        for event in line.session.receive(each):
            assert isinstance(event, (Send, LoggedIn, NewWork, Judged, Told, Lost))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 16))
def test_rolled_versions_are_distinct_and_inside_the_mask(version: int, mask: int, count: int) -> None:
    rolled = rolled_versions(version, mask, count)
    assert len(set(rolled)) == len(rolled) == min(count, 2 ** mask.bit_count())
    assert all((each ^ version) & ~mask == 0 for each in rolled)
