"""Hypothesis strategies for consensus data. Everything is raw bytes from the independent encoder."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support import wire

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
i32 = st.integers(-(2**31), 2**31 - 1)
u64 = st.integers(0, 2**64 - 1)
bytes32 = st.binary(min_size=32, max_size=32)


@dataclass(frozen=True)
class HeaderFields:
    version: int
    prev_hash: bytes
    merkle_root: bytes
    time: int
    bits: int
    nonce: int

    @property
    def raw(self) -> bytes:
        return wire.header(self.version, self.prev_hash, self.merkle_root, self.time, self.bits, self.nonce)


@dataclass(frozen=True)
class TransferFields:
    sender: bytes
    sequence: int
    recipient: bytes
    amount: int
    fee: int
    memo: bytes
    signature: bytes

    @property
    def body(self) -> bytes:
        return wire.transfer_body(self.sender, self.sequence, self.recipient, self.amount, self.fee, self.memo)

    @property
    def raw(self) -> bytes:
        return self.body + self.signature


@dataclass(frozen=True)
class CoinbaseFields:
    height: int
    recipient: bytes
    amount: int
    extra: bytes

    @property
    def raw(self) -> bytes:
        return wire.coinbase(self.height, self.recipient, self.amount, self.extra)


headers = st.builds(HeaderFields, i32, bytes32, bytes32, u32, u32, u32)
transfers = st.builds(
    TransferFields,
    bytes32,
    u64,
    bytes32,
    u64,
    u64,
    st.binary(max_size=600),
    st.binary(min_size=64, max_size=64),
)
coinbases = st.builds(CoinbaseFields, u32, bytes32, u64, st.binary(min_size=32, max_size=255))
transactions = transfers | coinbases


@st.composite
def mutants(draw: st.DrawFn, originals: st.SearchStrategy[bytes]) -> bytes:
    """Bytes that were once well-formed: some altered, cut out, doubled, put in, or the end lost."""
    data = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["alter", "cut", "double", "insert", "truncate"]))
        if kind == "alter" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 40))]
        elif kind == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 40))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=9))
        elif kind == "truncate":
            del data[at:]
    return bytes(data)
