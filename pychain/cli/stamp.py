"""`pychain stamp`: put file digests into the chain, and write their proofs."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import click

from pychain.chain.hashes import hash_hex
from pychain.chain.header import decode_header
from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import print_facts, print_json
from pychain.cli.payments import (
    FeeChoice,
    covering_account,
    fee_option,
    pay,
    require_same_chain,
    signer_for,
    target_option,
)
from pychain.cli.proofs import Anchor, Subject, anchor_of, subjects_of, wait_until_mined
from pychain.cli.secret import password_option
from pychain.cli.wallet.common import account_option, wallet_option
from pychain.client import Client
from pychain.stamps.check import check_content, check_offline
from pychain.stamps.errors import StampError
from pychain.stamps.memo import Stamp, encode_memo
from pychain.stamps.proof import encode_proof
from pychain.stamps.tree import MAX_FILES
from pychain.system.files import write_whole
from pychain.wallet.payment import Payment


@click.command("stamp")
@click.argument("names", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@wallet_option
@account_option
@fee_option
@target_option
@click.option(
    "--confirmations",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Write the proofs after N confirmations.",
)
@click.option("--no-wait", is_flag=True, help="Send the stamp and exit; --txid writes the proofs later.")
@click.option("--txid", metavar="TXID", help="Send nothing: write (newer) proofs of an earlier stamp.")
@click.option("--no-headers", is_flag=True, help="Omit the headers: small proofs, which need a node to check.")
@click.option("--force", is_flag=True, help="Overwrite existing proofs.")
@password_option
@common_options
@pass_context
def command(
    context: Context,
    names: tuple[str, ...],
    name: str,
    label: str,
    fee: int | None,
    target: int,
    confirmations: int,
    no_wait: bool,
    txid: str | None,
    no_headers: bool,
    force: bool,
    password_file: str | None,
) -> None:
    """Put the SHA-256 digest of each FILE into the chain, and write FILE.proof when it is mined.

    \b
        pychain stamp contract.pdf
        pychain stamp photos/*.jpg --confirmations 6
        pychain verify contract.pdf contract.pdf.proof
    One transfer stamps any number of files, by the root of a hash tree. The files themselves stay here; others see only
    32 bytes.

    \b
    To avoid the wait, send now and write the proofs later:
        pychain stamp contract.pdf --no-wait
        pychain stamp contract.pdf --txid 5f1c...
    What a stamp proves, and what it does not, is in docs/stamps.md.
    """
    files = [Path(each) for each in dict.fromkeys(names)]
    if len(files) > MAX_FILES:
        raise click.UsageError(f"a stamp has at most {MAX_FILES:,} files")
    stamp, subjects = subjects_of(files)
    if not no_wait and not force:
        _refuse_existing(subjects)
    if txid is None:
        txid = _send(context, name, label, stamp, FeeChoice(fee, target), password_file)
        if no_wait:
            _show(context, txid, stamp)
            return
        later = shlex.join(["pychain", "stamp", *names, "--txid", txid])
        click.echo(f"Sent. Waiting for the block; if this ends early: {later}", err=True)
    anchor = context.ask(lambda node: _anchor(context, node, txid, confirmations, headers=not no_headers))
    _check(context, anchor, subjects)
    for subject in subjects:
        data = encode_proof(anchor.proof(context.spec, subject))
        write_whole(subject.proof_file.absolute(), data, private=False)
    _show(context, txid, stamp, anchor, subjects)


def _refuse_existing(subjects: Sequence[Subject]) -> None:
    """Before anything is sent."""
    for subject in subjects:
        if subject.proof_file.exists():
            raise StampError(f"{subject.proof_file} already exists; --force overwrites it")


def _send(context: Context, name: str, label: str, stamp: Stamp, fee: FeeChoice, password_file: str | None) -> str:
    """The txid of a new transfer, from the account to itself, that carries the stamp."""
    sender = context.keystore.load(name).account(label)
    draft = Payment(sender.public_key, 0, 0, encode_memo(stamp))

    async def check(node: Client) -> None:
        await covering_account(node, context.spec, sender, await fee.apply(node, draft))

    context.ask(check)  # before a password is asked for
    return pay(context, sender, signer_for(context, name, sender, password_file), draft, fee).txid


async def _anchor(context: Context, node: Client, txid: str, confirmations: int, *, headers: bool) -> Anchor:
    await require_same_chain(node, context.spec)
    return await anchor_of(node, await wait_until_mined(node, txid, confirmations), headers=headers)


def _check(context: Context, anchor: Anchor, subjects: Sequence[Subject]) -> None:
    """Only proofs that pass their check are written. The headers are the same for all, so they are checked once."""
    for subject in subjects:
        check_content(context.spec, anchor.proof(context.spec, subject), subject.digest)
    if anchor.headers is not None:
        proof = anchor.proof(context.spec, subjects[0])
        check_offline(context.settings.load_rulebook(), proof, subjects[0].digest, int(time.time()))


def _show(
    context: Context, txid: str, stamp: Stamp, anchor: Anchor | None = None, subjects: Sequence[Subject] = ()
) -> None:
    told: dict[str, object] = {"txid": txid, "kind": stamp.kind.name.lower(), "digest": stamp.digest.hex()}
    if anchor is not None:
        told |= {"blockhash": hash_hex(decode_header(anchor.header).hash), "height": anchor.height}
    if context.json:
        print_json(told | {"proofs": [{"file": str(each.file), "proof": str(each.proof_file)} for each in subjects]})
        return
    print_facts(told.items())
    for subject in subjects:
        click.echo(subject.proof_file)
