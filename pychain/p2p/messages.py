"""The messages: one type byte, then a MessagePack array of the fields in the order they are declared here.

Rules for editing this file
- A type number is never reused, even after its message is gone. 13 to 15 are reserved for compact blocks.
- A field is only ever added at the end, with a default: old nodes ignore fields they do not know.
- Every field with a length or a count has its bound in its type, so that decoding rejects it before allocating.
- docs/wire.md describes each message, with an example that a test recomputes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, MsgspecError, Struct, msgpack

from pychain.base.errors import ConfigError, DecodeError
from pychain.p2p import limits

U16: TypeAlias = Annotated[int, Meta(ge=0, le=2**16 - 1)]
U32: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
U64: TypeAlias = Annotated[int, Meta(ge=0)]
"""MessagePack has no integer above 2^64 - 1, so only the lower bound is needed."""
Hash: TypeAlias = Annotated[bytes, Meta(min_length=limits.HASH_BYTES, max_length=limits.HASH_BYTES)]
"""32 bytes in internal order."""
Work: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""Accumulated work, 32 bytes big-endian."""
RawHeader: TypeAlias = Annotated[bytes, Meta(min_length=limits.HEADER_BYTES, max_length=limits.HEADER_BYTES)]
RawTransaction: TypeAlias = Annotated[bytes, Meta(min_length=1, max_length=limits.MAX_TX_BYTES)]
Hashes: TypeAlias = Annotated[tuple[Hash, ...], Meta(max_length=limits.MAX_INV)]


class MessageError(DecodeError):
    """A message is malformed or out of place: a protocol error of the peer."""


class MessageType(IntEnum):
    """The type byte of every message we decode."""

    HELLO = 1
    PING = 2
    PONG = 3
    GET_ADDRS = 4
    ADDRS = 5
    INV = 6
    WANT = 7
    MISSING = 8
    TXS = 9
    BLOCK = 10
    GET_HEADERS = 11
    HEADERS = 12
    FEE_FILTER = 16
    GOODBYE = 17


class Kind(IntEnum):
    """The kind of object that a hash in inv, want and missing names."""

    TRANSACTION = 1
    BLOCK = 2


class GoodbyeCode(StrEnum):
    """Why a connection ends. A peer may send codes that are not in this list."""

    WRONG_NETWORK = "wrong_network"
    OLD_PROTOCOL = "old_protocol"
    SELF_CONNECTION = "self_connection"
    DUPLICATE = "duplicate"
    TOO_MANY_PEERS = "too_many_peers"
    EVICTED = "evicted"
    BANNED = "banned"
    PROTOCOL_ERROR = "protocol_error"
    MISBEHAVIOUR = "misbehaviour"
    TIMEOUT = "timeout"
    TOO_SLOW = "too_slow"
    REQUESTED = "requested"
    SHUTTING_DOWN = "shutting_down"
    WRONG_IDENTITY = "wrong_identity"


class Fields(Struct, array_like=True, frozen=True):
    """Base of all messages: fields are encoded in order, without names."""


class Hello(Fields, frozen=True):
    """The first message of both sides, sent once (Bitcoin's version)."""

    protocol: U32
    agent: Annotated[str, Meta(max_length=limits.MAX_AGENT)]
    genesis: Hash
    time: U64
    """Unix seconds of the sender's clock."""
    tip_height: U64
    tip_work: Work
    listen_port: U16
    """Where the sender accepts connections, 0 when nowhere."""
    services: U64
    """Bits for optional features; none is defined yet."""
    nonce: U64
    """Drawn once when a node starts; a node that receives its own is connected to itself."""


class Ping(Fields, frozen=True):
    nonce: U64


class Pong(Fields, frozen=True):
    nonce: U64


class GetAddrs(Fields, frozen=True):
    pass


class AddressEntry(Fields, frozen=True):
    """One address in `Addrs`."""

    multiaddr: Annotated[str, Meta(max_length=limits.MAX_ADDRESS_TEXT)]
    last_seen: U64
    """Unix seconds."""
    services: U64


class Addrs(Fields, frozen=True):
    entries: Annotated[tuple[AddressEntry, ...], Meta(max_length=limits.MAX_ADDRS)]


class Inv(Fields, frozen=True):
    """Announces objects that the sender has."""

    kind: Kind
    hashes: Hashes


class Want(Fields, frozen=True):
    """Requests objects (Bitcoin's getdata)."""

    kind: Kind
    hashes: Hashes


class Missing(Fields, frozen=True):
    """Requested objects that the sender does not have (Bitcoin's notfound)."""

    kind: Kind
    hashes: Hashes


class Txs(Fields, frozen=True):
    transactions: Annotated[tuple[RawTransaction, ...], Meta(max_length=limits.MAX_TXS)]


class Block(Fields, frozen=True):
    raw: bytes
    """The canonical bytes; their size is bounded by the frame."""


class GetHeaders(Fields, frozen=True):
    """Requests the headers of the receiver's chain after the first hash of the locator that is on it, up to `stop`."""

    locator: Annotated[tuple[Hash, ...], Meta(max_length=limits.MAX_LOCATOR)]
    """Block hashes, newest first."""
    stop: Hash
    """32 zero bytes: as many as fit."""


class Headers(Fields, frozen=True):
    """An answer to get_headers, or the announcement of a new tip. Oldest first, each the parent of the next."""

    headers: Annotated[tuple[RawHeader, ...], Meta(max_length=limits.MAX_HEADERS)]


class FeeFilter(Fields, frozen=True):
    """Asks the receiver not to announce transactions that pay less."""

    fee_per_kb: U64
    """Base units per 1,000 bytes."""


class Goodbye(Fields, frozen=True):
    """The last message of a connection: why it ends."""

    code: Annotated[str, Meta(max_length=limits.MAX_GOODBYE_CODE)]
    text: Annotated[str, Meta(max_length=limits.MAX_GOODBYE_TEXT)]
    """One line for a person; print it through `printable`."""


Message: TypeAlias = (
    Hello
    | Ping
    | Pong
    | GetAddrs
    | Addrs
    | Inv
    | Want
    | Missing
    | Txs
    | Block
    | GetHeaders
    | Headers
    | FeeFilter
    | Goodbye
)

_CLASSES: Final[dict[int, type[Fields]]] = {
    MessageType.HELLO: Hello,
    MessageType.PING: Ping,
    MessageType.PONG: Pong,
    MessageType.GET_ADDRS: GetAddrs,
    MessageType.ADDRS: Addrs,
    MessageType.INV: Inv,
    MessageType.WANT: Want,
    MessageType.MISSING: Missing,
    MessageType.TXS: Txs,
    MessageType.BLOCK: Block,
    MessageType.GET_HEADERS: GetHeaders,
    MessageType.HEADERS: Headers,
    MessageType.FEE_FILTER: FeeFilter,
    MessageType.GOODBYE: Goodbye,
}
_ENCODER: Final = msgpack.Encoder()
FIRST_PRIVATE_TYPE: Final = 128
"""Type bytes from here on are never used by the protocol itself."""
_LAST_TYPE: Final = 255


class Codec:
    """The messages that a node understands: the protocol's own, and those that managers from outside add."""

    def __init__(self, private: Mapping[int, type[Fields]] = MappingProxyType({})) -> None:
        """`private`: further messages by type byte. Raises `ConfigError` where a number is not free."""
        for number, message in private.items():
            if not FIRST_PRIVATE_TYPE <= number <= _LAST_TYPE:
                text = f"message type {number} of {message.__name__} is not in {FIRST_PRIVATE_TYPE} to {_LAST_TYPE}"
                raise ConfigError(text)
            if message in _CLASSES.values():
                raise ConfigError(f"{message.__name__} is a message of the protocol, it has no private number")
        classes = {**_CLASSES, **private}
        self.types: Mapping[type[Fields], int] = {message: number for number, message in classes.items()}
        """The type byte of each message."""
        self._decoders = {int(number): msgpack.Decoder(message) for number, message in classes.items()}

    def type_of(self, message: Fields) -> int:
        """The type byte of a message."""
        return self.types[type(message)]

    def encode(self, message: Fields) -> bytes:
        """The payload of a frame: type byte and body. The fields are ours, and must be within their bounds."""
        return bytes((self.types[type(message)],)) + _ENCODER.encode(message)

    def decode(self, payload: bytes) -> Fields | None:
        """The message in a frame's payload, None when its type is unknown.

        Raises only `MessageError`, for any malformed message of a known type.
        """
        if not payload:
            raise MessageError("a message without a type byte")
        decoder = self._decoders.get(payload[0])
        if decoder is None:
            return None
        try:
            return decoder.decode(memoryview(payload)[1:])
        except (MsgspecError, UnicodeError, RecursionError) as error:
            raise MessageError(f"malformed {type_name(payload[0])}: {printable(str(error))}") from None


STANDARD: Final = Codec()
"""The protocol's own messages."""
type_of: Final = STANDARD.type_of
encode: Final = STANDARD.encode
decode: Final = STANDARD.decode


def type_name(number: int) -> str:
    """The name of a type byte for people and metrics: `fee_filter`, or `type_130` for a private one."""
    return MessageType(number).name.lower() if number in _CLASSES else f"type_{number}"


def batched_transactions(raw: Iterable[bytes]) -> Iterator[Txs]:
    """Raw transactions in messages of at most `TXS_BATCH_BYTES` and `MAX_TXS`."""
    batch: list[bytes] = []
    size = 0
    for transaction in raw:
        if batch and (size + len(transaction) > limits.TXS_BATCH_BYTES or len(batch) == limits.MAX_TXS):
            yield Txs(tuple(batch))
            batch, size = [], 0
        batch.append(transaction)
        size += len(transaction)
    if batch:
        yield Txs(tuple(batch))


def printable(text: str, limit: int = 256) -> str:
    """Make text from a peer safe for a log or a terminal: one line, truncated, no control or direction characters."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:limit])
    return f"{shown}..." if len(text) > limit else shown
