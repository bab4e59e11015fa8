"""The parts shared by both ends: lines, messages, difficulties, jobs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.chain.target import DIFFICULTY_1_TARGET, MAX_TARGET
from pychain.stratum.difficulty import (
    MAX_DIFFICULTY,
    MIN_DIFFICULTY,
    accepted_target,
    difficulty_of,
    is_difficulty,
    searched_target,
)
from pychain.stratum.jobs import Job, swap_words
from pychain.stratum.lines import LineFramer
from pychain.stratum.messages import Answer, Call, ErrorCode, decode_message, encode_call, encode_refusal, encode_result
from tests.support.stratum import Work

hashes = st.binary(min_size=32, max_size=32)
words = st.integers(0, 2**32 - 1)
jobs = st.builds(
    Job,
    job_id=st.integers(1, 2**40).map(lambda number: f"{number:x}"),
    prev_hash=hashes,
    coinb1=st.binary(max_size=200),
    coinb2=st.binary(max_size=200),
    branch=st.lists(hashes, max_size=14).map(tuple),
    version=words,
    bits=words,
    time=words,
    clean=st.booleans(),
)
difficulties = st.floats(MIN_DIFFICULTY, MAX_DIFFICULTY)


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(1, 50)))
def test_lines_come_whole_however_the_stream_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(line.replace(b"\n", b" ") + b"\n" for line in lines)
    framer, came = LineFramer(50), []
    for cut in cuts:
        came += framer.feed(stream[:cut])
        stream = stream[cut:]
    came += framer.feed(stream)
    assert came == [stripped for line in lines if (stripped := line.replace(b"\n", b" ").strip())]


@pytest.mark.parametrize("data", [b"a" * 11, b"a" * 11 + b"\n", b"fine\n" + b"a" * 11, b"a" * 11 + b"\nfine\n"])
def test_a_line_without_end_is_refused_before_it_grows(data: bytes) -> None:
    with pytest.raises(DecodeError):
        LineFramer(10).feed(data)


def test_a_line_that_comes_in_drops_is_refused_when_it_is_too_long() -> None:
    framer = LineFramer(10)
    for _ in range(10):
        assert framer.feed(b"a") == []
    with pytest.raises(DecodeError):
        framer.feed(b"a")


@given(st.binary() | st.text().map(str.encode) | st.just(b"[" * 4000) | st.just(b'{"id":' + b"[" * 4000))
def test_a_line_is_a_message_or_a_decode_error(line: bytes) -> None:
    try:
        message = decode_message(line)
    except DecodeError:
        return
    assert isinstance(message, (Call, Answer))


def test_ids_are_echoed_as_they_came() -> None:
    for written in (b"4", b'"four"', b"1e400", b"12345678901234567890123", b'{"a":[1]}', b"null"):
        message = decode_message(b'{"method":"m","params":[1],"id":' + written + b',"jsonrpc":"2.0"}')
        assert message == Call(written, "m", [1])
        assert written in encode_result(message.id, True)
    assert json.loads(encode_refusal(b"7", ErrorCode.STALE, "stale")) == {
        "id": 7,
        "result": False,
        "error": [21, "stale", None],
    }
    assert json.loads(encode_call("m", [])) == {"id": None, "method": "m", "params": []}
    assert decode_message(b'{"id":1,"result":[],"error":null}') == Answer(b"1", [], None)
    assert decode_message(b'{"id":1,"method":"m","params":null}') == Call(b"1", "m", [])


@given(difficulties)
def test_searched_targets_are_always_accepted(difficulty: float) -> None:
    searched, accepted = searched_target(difficulty), accepted_target(difficulty)
    assert 0 < searched <= accepted <= MAX_TARGET
    assert accepted - searched <= accepted >> 15, "65535 / 65536"


def test_well_known_difficulties() -> None:
    assert searched_target(1) == DIFFICULTY_1_TARGET
    assert accepted_target(1) == 2**224
    assert accepted_target(MIN_DIFFICULTY) == MAX_TARGET
    assert searched_target(MAX_DIFFICULTY) > 0
    assert difficulty_of(DIFFICULTY_1_TARGET) == 1


@given(st.integers(1, MAX_TARGET))
def test_the_network_s_difficulty_misses_no_block(target: int) -> None:
    difficulty = difficulty_of(target)
    assert searched_target(difficulty) >= target
    assert difficulty == pytest.approx(DIFFICULTY_1_TARGET / target)


def test_valid_difficulties() -> None:
    assert all(is_difficulty(value) for value in (1, 0.001, 2**40, MIN_DIFFICULTY))
    no_difficulties = (0, -1, True, "1", None, [1], float("nan"), float("inf"), 1e-30, 10**400)
    assert not any(is_difficulty(value) for value in no_difficulties)


@given(jobs)
def test_a_job_is_read_as_it_was_written_here_and_independently(job: Job) -> None:
    params = json.loads(json.dumps(job.params()))
    assert Job.from_params(params) == job
    work = Work.told(params, 1.0)
    one, other = b"\x01\x02\x03\x04", b"\x05\x06\x07\x08"
    root = job.merkle_root(one + other)
    assert job.header(root, job.version, 77, 99) == work.header(one, other, 77, 99, work.version)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=12), max_leaves=30
)


@given(jobs, st.integers(0, 8), json_values)
def test_a_job_with_anything_else_in_it_is_refused_or_right(job: Job, place: int, value: object) -> None:
    params = job.params()
    params[place] = value
    try:
        told = Job.from_params(params)
    except DecodeError:
        return
    assert Job.from_params(told.params()) == told


@given(hashes)
def test_words_are_swapped_and_swapped_back(data: bytes) -> None:
    assert swap_words(swap_words(data)) == data
    assert swap_words(data)[:4] == data[:4][::-1]
