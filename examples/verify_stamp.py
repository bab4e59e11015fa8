"""Stamp a file's digest in a chain, and check the proof with nothing but the network's rules.

The chain is made in a simulation. The check asks no node: it goes from the file to the memo of a transfer, from the
transfer to its block, and from genesis to the tip by the proof of work of every header.

    stamped in block ... of ...
    holds: 'the text that I wrote', in a block dated ...
    refused: the proof is of another file: its SHA-256 is ...
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from pychain.chain.block import decode_block
from pychain.chain.spec import packaged_spec
from pychain.consensus.rulebook import Rulebook
from pychain.node.requests import SubmitTransfer
from pychain.sim.host import Host
from pychain.sim.world import World
from pychain.stamps.branch import branch_of
from pychain.stamps.check import check_offline
from pychain.stamps.errors import StampError
from pychain.stamps.memo import Kind, Stamp, encode_memo
from pychain.stamps.proof import Proof, decode_proof, encode_proof
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer

SPEC = packaged_spec("dev")
FILE = b"the text that I wrote"
CONFIRMATIONS = 6


def stamp(host: Host, digest: bytes) -> bytes:
    """Pay oneself nothing, with the digest as memo; gives the txid."""
    key = dev_key(0)
    memo = encode_memo(Stamp(Kind.FILE, digest))
    transfer = sign_transfer(key, SPEC.genesis_hash, 0, Payment(key.public_key, 0, fee=10_000, memo=memo))
    host.ask(SubmitTransfer(transfer.raw))
    return transfer.txid


def proof_of(host: Host, txid: bytes, digest: bytes) -> Proof:
    """All that a stranger needs, out of a node's chain."""
    queries = host.node.queries
    place = queries.transaction(txid)
    assert place is not None
    entry = queries.entry(place.block_hash)
    raw = host.store.body(place.block_hash)
    assert entry is not None
    assert raw is not None
    block = decode_block(raw)
    chain = [queries.at(height) for height in range(1, queries.tip.height + 1)]
    return Proof(
        genesis_hash=SPEC.genesis_hash,
        digest=digest,
        path=None,
        transaction=block.transaction(place.position).raw,
        index=place.position,
        branch=branch_of(block.txid_list(), place.position),
        height=entry.height,
        header=block.header.raw,
        headers=b"".join(each.header.raw for each in chain if each is not None),
    )


def main() -> None:
    digest = sha256(FILE).digest()
    world = World(Rulebook(SPEC), seed=1)
    host = world.add("notary", mine_to=dev_key(1).public_key, hash_rate=1)
    world.start()
    txid = stamp(host, digest)
    world.run_until(lambda: host.node.queries.tip.height > CONFIRMATIONS, limit_s=3600)
    document = encode_proof(proof_of(host, txid, digest))  # what is kept beside the file

    proof = decode_proof(document)
    wall_s = host.now.wall_s
    stamped, placed = check_offline(Rulebook(SPEC), proof, sha256(FILE).digest(), wall_s)
    print(f"stamped in block {stamped.height} of {stamped.height + placed.confirmations - 1}")
    print(f"holds: {FILE.decode()!r}, in a block dated {datetime.fromtimestamp(stamped.header.time, UTC)}")
    try:
        check_offline(Rulebook(SPEC), proof, sha256(FILE + b"!").digest(), wall_s)
    except StampError as error:
        print(f"refused: {error}")


if __name__ == "__main__":
    main()
