"""`pychain verify`: check the proof of a stamp."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import click

from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.header import HEADER_BYTES
from pychain.chain.spec import PACKAGED_NETWORKS, packaged_spec
from pychain.chain.target import work_from_bits
from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import moment, print_facts, print_json, progress
from pychain.cli.payments import require_same_chain
from pychain.cli.proofs import PROOF_SUFFIX, digest_of
from pychain.client import Client, RefusedError
from pychain.stamps.check import Stamped, check_content, check_offline
from pychain.stamps.errors import StampError
from pychain.stamps.proof import MAX_PROOF_BYTES, Proof, decode_proof

ASIC_HASHES_PER_S = 1e14
"""The hash rate of one present-day machine, which anyone can rent: the measure of the work on top of a stamp."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The block of a stamp."""

    stamped: Stamped
    median_time: int
    confirmations: int
    work_on_top: int


@click.command("verify")
@click.argument("file", metavar="FILE", type=click.Path())
@click.argument("proof_file", metavar="[PROOF]", required=False, type=click.Path())
@click.option("--offline", is_flag=True, help="Use no node: check the proof's headers from genesis on.")
@common_options
@pass_context
def command(context: Context, file: str, proof_file: str | None, offline: bool) -> None:
    """Check that FILE is stamped as PROOF says (default: FILE.proof).

    \b
        pychain verify contract.pdf contract.pdf.proof --network test
        pychain verify contract.pdf --offline --network test
    The node of the data directory must have the block in its chain. With --offline every header of the proof is
    checked from the network's genesis on, including work and retarget; only the two files and the network's rules are
    needed. If anything is wrong, one line says why, and the exit code is 1.
    """
    digest = digest_of(Path(file))
    with Path(proof_file or file + PROOF_SUFFIX).open("rb") as opened:
        proof = decode_proof(opened.read(MAX_PROOF_BYTES + 1))
    _require_network(context, proof)
    verdict = _offline(context, proof, digest) if offline else _against_node(context, proof, digest)
    _show(context, file, digest, verdict, offline=offline)


def _require_network(context: Context, proof: Proof) -> None:
    """StampError if the proof is of another network than the chosen one: the user decides which network to trust."""
    if proof.genesis_hash == context.spec.genesis_hash:
        return
    names = [name for name in PACKAGED_NETWORKS if packaged_spec(name).genesis_hash == proof.genesis_hash]
    theirs = f"the network '{names[0]}'" if names else f"the chain of genesis {hash_hex(proof.genesis_hash)}"
    raise StampError(f"the proof is of {theirs}, not of '{context.spec.name}'; --network chooses")


def _offline(context: Context, proof: Proof, digest: bytes) -> _Verdict:
    total = len(proof.headers or b"") // HEADER_BYTES
    with progress("checking", "headers") as bar:
        judged = check_offline(
            context.settings.load_rulebook(), proof, digest, int(time.time()), lambda done: bar(done, total)
        )
    stamped, placed = judged
    return _Verdict(stamped, placed.median_time, placed.confirmations, placed.work_on_top)


def _against_node(context: Context, proof: Proof, digest: bytes) -> _Verdict:
    stamped = check_content(context.spec, proof, digest)
    block_hash = hash_hex(stamped.header.hash)

    async def ask(node: Client) -> _Verdict:
        await require_same_chain(node, context.spec)
        try:
            header = await node.header(block_hash)
        except RefusedError:
            raise StampError(f"the node does not know the proof's block {block_hash}") from None
        if header.confirmations < 1:
            raise StampError(f"the proof's block {block_hash} is not in the node's chain")
        if header.height != stamped.height:
            raise StampError(f"the proof's block is at height {header.height}, not {stamped.height}")
        below = int(header.chainwork, 16) - work_from_bits(stamped.header.bits)
        tip = await node.chain_info()
        return _Verdict(stamped, header.mediantime, header.confirmations, int(tip.chainwork, 16) - below)

    return context.ask(ask)


def _show(context: Context, file: str, digest: bytes, verdict: _Verdict, *, offline: bool) -> None:
    transfer, header = verdict.stamped.transfer, verdict.stamped.header
    sender = encode_address(context.spec.hrp, transfer.sender)
    if context.json:
        print_json(
            {
                "file": file,
                "sha256": digest.hex(),
                "network": context.spec.name,
                "genesis": hash_hex(context.spec.genesis_hash),
                "sender": sender,
                "txid": hash_hex(transfer.txid),
                "blockhash": hash_hex(header.hash),
                "height": verdict.stamped.height,
                "time": header.time,
                "mediantime": verdict.median_time,
                "confirmations": verdict.confirmations,
                "work_on_top": f"{verdict.work_on_top:064x}",
                "offline": offline,
            }
        )
        return
    print_facts(
        [
            ("file", file),
            ("sha256", digest.hex()),
            ("stamped by", sender),
            ("on network", f"{context.spec.name}, genesis {hash_hex(context.spec.genesis_hash)}"),
            ("in transfer", hash_hex(transfer.txid)),
            ("in block", f"{verdict.stamped.height:,}, {hash_hex(header.hash)}"),
            ("block time", moment(header.time)),
            ("median time", f"{moment(verdict.median_time)} (of the last 11 blocks)"),
            ("confirmations", f"{verdict.confirmations:,}"),
            ("work on top", f"{verdict.work_on_top:.3g} hashes: {_effort(verdict.work_on_top)}"),
            ("checked", "headers from genesis on, no node asked" if offline else "against the node's chain"),
        ]
    )


def _effort(work: int) -> str:
    """The time that an attacker would need to redo the work."""
    seconds = work / ASIC_HASHES_PER_S
    for unit, length in (("years", 365 * 86400), ("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit} of a machine of 100 TH/s"
    return "less than a second of a machine of 100 TH/s"
