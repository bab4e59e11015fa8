"""Proofs of stamps, assembled from a node's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from pychain.chain.hashes import hash_hex, parse_hash_hex
from pychain.chain.header import HEADER_BYTES, decode_header
from pychain.chain.spec import ChainSpec
from pychain.client import Client, RefusedError
from pychain.client.results import Located
from pychain.stamps.branch import branch_of
from pychain.stamps.errors import StampError
from pychain.stamps.headers import MAX_HEADERS
from pychain.stamps.memo import Kind, Stamp
from pychain.stamps.proof import Proof
from pychain.stamps.tree import Step, root_and_paths

PROOF_SUFFIX = ".proof"
_WAIT_MS = 10_000
"""How long one call lets the node wait for a block."""
_TRIES = 5
"""A reorganisation restarts the download of headers; more than this in a row are not expected."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A stamped file: its digest, and the path from it to the stamp (None if the digest is the stamp)."""

    file: Path
    digest: bytes
    path: tuple[Step, ...] | None

    @property
    def proof_file(self) -> Path:
        return self.file.with_name(self.file.name + PROOF_SUFFIX)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A mined transaction with everything that links it to genesis."""

    transaction: bytes
    index: int
    branch: tuple[bytes, ...]
    height: int
    header: bytes
    headers: bytes | None

    def proof(self, spec: ChainSpec, subject: Subject) -> Proof:
        """The proof of one of the stamped files."""
        return Proof(
            spec.genesis_hash,
            subject.digest,
            subject.path,
            self.transaction,
            self.index,
            self.branch,
            self.height,
            self.header,
            self.headers,
        )


def digest_of(file: Path) -> bytes:
    """The SHA-256 of a file's content."""
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").digest()


def subjects_of(files: Sequence[Path]) -> tuple[Stamp, list[Subject]]:
    """The stamp of these files, and the path from each to it."""
    digests = [digest_of(file) for file in files]
    if len(digests) == 1:
        return Stamp(Kind.FILE, digests[0]), [Subject(files[0], digests[0], None)]
    root, paths = root_and_paths(digests)
    rows = zip(files, digests, paths, strict=True)
    return Stamp(Kind.TREE, root), [Subject(file, digest, path) for file, digest, path in rows]


async def wait_until_mined(node: Client, txid: str, confirmations: int) -> Located:
    """The transaction, once it has that many confirmations. StampError if it is unknown or gone."""
    while True:
        tip: str = await node.call("getbestblockhash", result=str)
        try:
            found = await node.transaction(txid)
        except RefusedError as error:
            raise StampError(f"transfer {txid} is neither in the mempool nor in the chain: {error}") from None
        if found.confirmations >= confirmations:
            return found
        await node.call("waitfornewblock", _WAIT_MS, tip, timeout_s=None)


async def anchor_of(node: Client, found: Located, *, headers: bool) -> Anchor:
    """Everything that proves a mined transaction, with the headers from height 1 to the tip if wanted. StampError where
    the node does not say where it is.
    """
    if found.blockhash is None or found.blockheight is None:
        raise StampError(f"the node does not say in which block transfer {found.txid} is")
    block = await node.call("getblock", found.blockhash, 1)
    txids = [parse_hash_hex(txid) for txid in block["tx"]]
    index = block["tx"].index(found.txid)
    header = bytes.fromhex(await node.call("getblockheader", found.blockhash, False, result=str))
    chain = await _headers(node, found.blockheight, header) if headers else None
    return Anchor(bytes.fromhex(found.hex), index, branch_of(txids, index), found.blockheight, header, chain)


async def _headers(node: Client, height: int, header: bytes) -> bytes:
    """The headers of the active chain from height 1 on; `header` must be among them."""
    for _ in range(_TRIES):
        raw = bytearray()
        while True:
            count = len(raw) // HEADER_BYTES
            more = await node.raw_headers(count + 1)
            if raw and decode_header(more[:HEADER_BYTES]).prev_hash != decode_header(bytes(raw[-HEADER_BYTES:])).hash:
                break  # a reorganisation
            raw += more
            if len(raw) > MAX_HEADERS * HEADER_BYTES:
                raise StampError(f"the chain has over {MAX_HEADERS:,} headers: make a proof without them, --no-headers")
            if await node.call("getblockcount", result=int) <= len(raw) // HEADER_BYTES:
                if raw[(height - 1) * HEADER_BYTES : height * HEADER_BYTES] == header:
                    return bytes(raw)
                break
    raise StampError(f"block {hash_hex(decode_header(header).hash)} left the chain meanwhile: try again")
