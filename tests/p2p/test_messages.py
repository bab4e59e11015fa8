"""Messages: encoded messages decode, and everything else is rejected with `MessageError`, cheaply."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, msgpack

from pychain.base.errors import DecodeError
from pychain.p2p import messages
from pychain.p2p.framing import frame
from pychain.p2p.limits import frame_limit
from pychain.p2p.messages import (
    Kind,
    Message,
    MessageError,
    MessageType,
    batched_transactions,
    decode,
    encode,
    printable,
)
from tests.p2p.recording import make_hello
from tests.p2p.strategies import damaged, every_message

HASH = bytes(32)


def payload(number: int, fields: object) -> bytes:
    """A payload with any content, well-formed or not."""
    return bytes((number,)) + msgpack.encode(fields)


def decodes(data: bytes) -> bool:
    """Whether `data` decodes; only the documented error may be raised."""
    try:
        return decode(data) is not None
    except MessageError as error:
        refusal = error
    assert isinstance(refusal, DecodeError)
    assert str(refusal).isprintable()
    return False


@given(every_message)
def test_round_trip(message: Message) -> None:
    assert decode(encode(message)) == message


@given(every_message)
def test_the_encoding_is_the_type_byte_and_the_fields_in_order(message: Message) -> None:
    data = encode(message)
    assert data[0] == messages.type_of(message)
    fields = [getattr(message, name) for name in message.__struct_fields__]
    assert data[1:] == msgpack.encode(fields)


@given(damaged(every_message.map(encode)))
def test_damaged_messages_raise_only_message_error(data: bytes) -> None:
    decodes(data)


@given(st.sampled_from(MessageType), st.binary(max_size=200))
def test_garbage_of_a_known_type_raises_only_message_error(kind: MessageType, body: bytes) -> None:
    decodes(bytes((kind,)) + body)


@given(st.integers(0, 255).filter(lambda number: number not in set(MessageType)), st.binary(max_size=50))
def test_unknown_types_are_told_apart_before_the_body_is_looked_at(number: int, body: bytes) -> None:
    assert decode(bytes((number,)) + body) is None


def test_the_numbers_of_compact_blocks_are_still_free() -> None:
    assert {13, 14, 15}.isdisjoint(set(MessageType))


def test_no_payload_is_no_message() -> None:
    with pytest.raises(MessageError):
        decode(b"")


@given(every_message, st.lists(st.one_of(st.integers(0, 9), st.text(max_size=4), st.none()), min_size=1, max_size=3))
def test_unknown_trailing_fields_are_ignored(message: Message, extra: list[object]) -> None:
    fields = [getattr(message, name) for name in message.__struct_fields__]
    assert decode(payload(messages.type_of(message), fields + extra)) == message


@given(every_message)
def test_a_missing_field_is_refused(message: Message) -> None:
    fields = [getattr(message, name) for name in message.__struct_fields__]
    if fields:
        assert not decodes(payload(messages.type_of(message), fields[:-1]))


@given(every_message, st.binary(min_size=1, max_size=3))
def test_bytes_after_the_array_are_refused(message: Message, extra: bytes) -> None:
    assert not decodes(encode(message) + extra)


HELLO = [1, "agent", HASH, 0, 0, HASH, 0, 0, 0]

BEYOND = {
    "protocol of 33 bits": (1, [2**32, *HELLO[1:]]),
    "negative protocol": (1, [-1, *HELLO[1:]]),
    "agent of 257 characters": (1, [1, "a" * 257, *HELLO[2:]]),
    "agent not UTF-8": (1, Raw(msgpack.encode(HELLO).replace(b"\xa5agent", b"\xa5\xff\xfe\xfd\xfc\xfb"))),
    "short genesis": (1, [*HELLO[:2], HASH[1:], *HELLO[3:]]),
    "negative time": (1, [*HELLO[:3], -1, *HELLO[4:]]),
    "time with a fraction": (1, [*HELLO[:3], 1.5, *HELLO[4:]]),
    "long work": (1, [*HELLO[:5], HASH + b"\0", *HELLO[6:]]),
    "port of 17 bits": (1, [*HELLO[:6], 2**16, *HELLO[7:]]),
    "nonce as text": (1, [*HELLO[:8], "1"]),
    "a map instead of an array": (2, {"nonce": 1}),
    "too many addresses": (5, [[["", 0, 0]] * 1001]),
    "a long address": (5, [[["a" * 129, 0, 0]]]),
    "unknown kind": (6, [3, []]),
    "too many hashes": (6, [1, [HASH] * 1001]),
    "too many hashes wanted": (7, [1, [HASH] * 1001]),
    "a short hash": (7, [1, [HASH[1:]]]),
    "too many hashes missing": (8, [1, [HASH] * 1001]),
    "too many transactions": (9, [[b"t"] * 1001]),
    "an empty transaction": (9, [[b""]]),
    "a huge transaction": (9, [[bytes(4097)]]),
    "a block as text": (10, ["block"]),
    "a long locator": (11, [[HASH] * 102, HASH]),
    "a short stop": (11, [[], b""]),
    "too many headers": (12, [[bytes(80)] * 2001]),
    "a short header": (12, [[bytes(79)]]),
    "a long header": (12, [[bytes(81)]]),
    "a negative fee": (16, [-1]),
    "a long goodbye": (17, ["code", "x" * 257]),
    "a long goodbye code": (17, ["c" * 33, ""]),
}


@pytest.mark.parametrize("case", BEYOND)
def test_bounds(case: str) -> None:
    number, fields = BEYOND[case]
    with pytest.raises(MessageError, match=f"malformed {MessageType(number).name.lower()}"):
        decode(payload(number, fields))


@pytest.mark.parametrize(
    "largest",
    [
        messages.Inv(Kind.BLOCK, (HASH,) * 1000),
        messages.Txs((b"t",) * 1000),
        messages.GetHeaders((HASH,) * 101, HASH),
        messages.Headers((bytes(80),) * 2000),
        messages.Addrs((messages.AddressEntry("\N{SNOWMAN}" * 64, 2**64 - 1, 2**64 - 1),) * 1000),
    ],
)
def test_the_largest_messages_decode_and_fit_a_frame_of_any_network(largest: Message) -> None:
    data = encode(largest)
    assert decode(data) == largest
    assert len(data) <= frame_limit(1)


def test_the_largest_block_fits_a_frame() -> None:
    assert len(encode(messages.Block(bytes(4_000_000)))) <= frame_limit(4_000_000)


def test_the_largest_hello_fits_the_limit_before_hello() -> None:
    hello = make_hello()
    largest = messages.Hello(
        2**32 - 1,
        "\N{PILE OF POO}" * 256,
        hello.genesis,
        2**64 - 1,
        2**64 - 1,
        b"\xff" * 32,
        65535,
        2**64 - 1,
        2**64 - 1,
    )
    assert len(frame(encode(largest))) <= 4096


def test_deep_nesting_is_a_message_error() -> None:
    with pytest.raises(MessageError, match="malformed pong"):
        decode(b"\x03\x92\x01" + b"\x91" * 100_000)


@pytest.mark.parametrize("number", [number for number in MessageType if number is not MessageType.GET_ADDRS])
@pytest.mark.parametrize(
    "head", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"]
)
def test_a_claimed_count_allocates_nothing(number: MessageType, head: bytes) -> None:
    """Counts of 2^32 - 1 as the whole body, as the first and as the second field."""
    for body in (head, b"\x91" + head, b"\x92" + head, b"\x92\x01" + head):
        tracemalloc.start()
        try:
            assert not decodes(bytes((number,)) + body)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 64 * 1024


def test_a_goodbye_with_an_unknown_code_is_read() -> None:
    assert decode(payload(17, ["some_new_reason", "why"])) == messages.Goodbye("some_new_reason", "why")


@given(st.lists(st.binary(min_size=1, max_size=4096), max_size=80))
def test_batches_keep_all_transactions_in_order_and_fit_frames(raw: list[bytes]) -> None:
    batches = list(batched_transactions(raw))
    assert [transaction for batch in batches for transaction in batch.transactions] == raw
    assert all(batch.transactions and len(encode(batch)) <= 140 * 1024 for batch in batches)


def test_batches_hold_at_most_a_thousand() -> None:
    assert [len(batch.transactions) for batch in batched_transactions([b"t"] * 2500)] == [1000, 1000, 500]


@given(st.text(max_size=600))
def test_text_from_peers_is_one_harmless_line(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= 256 + len("...")
    if text.isprintable() and len(text) <= 256:
        assert shown == text


def test_escapes_and_direction_marks_do_not_reach_a_log() -> None:
    assert printable("a\x1b[31m\r\n\u202eb") == "a\ufffd[31m\ufffd\ufffd\ufffdb"
