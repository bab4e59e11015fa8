"""The proof: a JSON document kept with a file (docs/stamps.md)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from pychain.chain.hashes import hash_hex, parse_hash_hex
from pychain.chain.header import HEADER_BYTES
from pychain.chain.transaction import MAX_MEMO_BYTES, TRANSFER_BYTES
from pychain.stamps.errors import StampError
from pychain.stamps.headers import MAX_HEADERS
from pychain.stamps.tree import MAX_STEPS, Side, Step

MAX_BRANCH = 32
"""Deeper than the tree of the largest block that a chain spec may allow."""
MAX_PROOF_BYTES = MAX_HEADERS * HEADER_BYTES * 4 // 3 + 64 * 1024
"""The maximum of headers in base64, and room for the rest; a larger file is refused unread."""

_Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Index = Annotated[int, msgspec.Meta(ge=0, le=2**MAX_BRANCH)]


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """The document, field by field as in docs/stamps.md."""

    format: Literal["pychain-stamp"]
    version: Literal[1]
    genesis: _Hash
    sha256: _Hash
    path: Annotated[list[tuple[Literal["left", "right"], _Hash]], msgspec.Meta(max_length=MAX_STEPS)]
    transaction: Annotated[
        str, msgspec.Meta(pattern="^([0-9a-f]{2})*$", max_length=2 * (TRANSFER_BYTES + MAX_MEMO_BYTES))
    ]
    index: _Index
    branch: Annotated[list[_Hash], msgspec.Meta(max_length=MAX_BRANCH)]
    height: _Index
    header: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{160}$")]
    headers: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that the file with this digest is stamped in a block.

    path: from the digest to the stamped root; None if the digest itself is stamped. transaction: the transfer's
    bytes. index, branch: its place in the block, and the siblings up to the merkle root. header: the block's 80 bytes.
    headers: all from height 1 on, joined; None if the proof can only be checked against a node.
    """

    genesis_hash: bytes
    digest: bytes
    path: tuple[Step, ...] | None
    transaction: bytes
    index: int
    branch: tuple[bytes, ...]
    height: int
    header: bytes
    headers: bytes | None


def encode_proof(proof: Proof) -> bytes:
    """The document's bytes."""
    document = _Document(
        "pychain-stamp",
        1,
        hash_hex(proof.genesis_hash),
        proof.digest.hex(),
        [(step.side.value, step.sibling.hex()) for step in proof.path or ()],
        proof.transaction.hex(),
        proof.index,
        [hash_hex(sibling) for sibling in proof.branch],
        proof.height,
        proof.header.hex(),
        None if proof.headers is None else base64.b64encode(proof.headers).decode("ascii"),
    )
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def decode_proof(data: bytes) -> Proof:
    """The proof in a document's bytes; StampError for anything else. Its content is not checked yet."""
    if len(data) > MAX_PROOF_BYTES:
        raise StampError(f"a proof has at most {MAX_PROOF_BYTES} bytes")
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StampError(f"not a stamp's proof: {error}") from None
    return Proof(
        parse_hash_hex(document.genesis),
        bytes.fromhex(document.sha256),
        tuple(Step(Side(side), bytes.fromhex(sibling)) for side, sibling in document.path) or None,
        bytes.fromhex(document.transaction),
        document.index,
        tuple(parse_hash_hex(sibling) for sibling in document.branch),
        document.height,
        bytes.fromhex(document.header),
        None if document.headers is None else _headers(document.headers),
    )


def _headers(text: str) -> bytes:
    """Headers in base64, in its canonical form only."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise StampError("not a stamp's proof: its headers are not base64") from None
    if len(raw) % HEADER_BYTES or base64.b64encode(raw).decode("ascii") != text:
        raise StampError("not a stamp's proof: its headers are not whole")
    return raw
