"""`pychain wallet send`, `bump`, `sign` and `broadcast`: moving coins."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pychain.base.errors import DecodeError
from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex, parse_hash_hex
from pychain.chain.transaction import Transfer, decode_transaction
from pychain.cli.arguments import to_base_units, to_bytes
from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import coins, memo_text, print_facts, print_json
from pychain.cli.payments import (
    FeeChoice,
    Sent,
    covering_account,
    fee_option,
    holding,
    pay,
    require_funds,
    require_same_chain,
    signer_for,
    target_option,
)
from pychain.cli.secret import password_option
from pychain.cli.wallet.common import account_option, parse_recipient, wallet_option
from pychain.client import Client
from pychain.keystore import AccountName, SealedWallet
from pychain.system.files import write_whole
from pychain.wallet.document import MAX_DOCUMENT_BYTES, Draft, decode_draft, encode_draft
from pychain.wallet.errors import WalletError
from pychain.wallet.payment import Payment, replacement_fee, sign_transfer

output_option = click.option(
    "--output", type=click.Path(), metavar="FILE", help="File for the transfer ('-': standard output)."
)


@click.command()
@click.argument("recipient", metavar="ADDRESS")
@click.argument("amount", callback=to_base_units, metavar="COINS")
@wallet_option
@account_option
@fee_option
@target_option
@click.option("--memo", metavar="TEXT", help="Public reference, at most 512 bytes.")
@click.option("--memo-hex", callback=to_bytes, metavar="HEX", help="The memo as bytes.")
@click.option(
    "--offline", is_flag=True, help="Write the transfer to a file, signed if the key is here, without sending it."
)
@click.option(
    "--sequence",
    "--nonce",
    "sequence",
    type=click.IntRange(0),
    metavar="N",
    help="With --offline: the account's next sequence number (its nonce).",
)
@output_option
@password_option
@common_options
@pass_context
def send(
    context: Context,
    recipient: str,
    amount: int,
    name: str,
    label: str,
    fee: int | None,
    target: int,
    memo: str | None,
    memo_hex: bytes | None,
    offline: bool,
    sequence: int | None,
    output: str | None,
    password_file: str | None,
) -> None:
    """Pay COINS to ADDRESS.

    \b
        pychain wallet send tpyc1... 2.5
        pychain wallet send tpyc1... 0.1 --memo 'invoice 17' --fee 0.0001
    You can send several payments without waiting for blocks.

    \b
    Without a node, if you know the account's next sequence (nonce); then send the file from anywhere:
        pychain wallet send tpyc1... 2.5 --offline --sequence 7 --fee 0.0001
        pychain wallet broadcast transfer-7.json
    """
    if memo is not None and memo_hex is not None:
        raise click.UsageError("give --memo or --memo-hex, not both")
    if not offline and (sequence is not None or output is not None):
        raise click.UsageError("--sequence and --output are for --offline")
    memo_bytes = memo.encode() if memo is not None else memo_hex or b""
    draft = Payment(parse_recipient(context, recipient), amount, fee or 0, memo_bytes)
    wallet = context.keystore.load(name)
    sender = wallet.account(label)
    choice = FeeChoice(fee, target)
    if offline:
        _write_transfer(
            context, name, sender, _complete(context, sender, draft, choice, sequence), output, password_file
        )
        return

    async def check(node: Client) -> None:
        await covering_account(node, context.spec, sender, await choice.apply(node, draft))

    context.ask(check)  # before asking for a password
    signer = signer_for(context, name, sender, password_file)
    _show_sent(context, sender.public_key, pay(context, sender, signer, draft, choice))


@click.command()
@click.argument("txid", metavar="TXID")
@wallet_option
@fee_option
@password_option
@common_options
@pass_context
def bump(context: Context, txid: str, name: str, fee: int | None, password_file: str | None) -> None:
    """Raise the fee of a pending payment.

    \b
        pychain wallet bump 5f1c...
        pychain wallet bump 5f1c... --fee 0.001
    The payment is signed again with the same sequence, so only one of the two can ever be mined. Without --fee it pays
    the fee for the next block, and at least what nodes require for a replacement.
    """
    wallet = context.keystore.load(name)
    old = context.ask(lambda node: _pending_transfer(node, txid))
    sender = wallet.account_of(old.sender)
    if sender is None:
        raise WalletError(f"the payment is not from an account of wallet '{name}'")
    signer = signer_for(context, name, sender, password_file)

    async def replace_it(node: Client) -> Sent:
        await require_same_chain(node, context.spec)
        payment = await _raised(node, old, fee)
        account = await node.account(encode_address(context.spec.hrp, sender.public_key))
        require_funds(sender, account, payment.fee - old.fee)
        transfer = sign_transfer(signer, context.spec.genesis_hash, old.sequence, payment)
        return Sent(await node.send(transfer.raw), old.sequence, payment)

    _show_sent(context, sender.public_key, holding(context, sender, replace_it), replaces=txid.lower())


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True))
@wallet_option
@output_option
@click.option("--yes", is_flag=True, help="Sign without asking.")
@password_option
@common_options
@pass_context
def sign(context: Context, file: str, name: str, output: str | None, yes: bool, password_file: str | None) -> None:
    """Sign a transfer that was written elsewhere, without a node.

    \b
        pychain wallet sign transfer-7.json
        pychain wallet sign transfer-7.json --output signed.json
    Without --output the file itself is signed.
    """
    draft = _read_draft(context, file)
    sender = _sender_in(context.keystore.load(name), name, draft)
    if not context.json:
        print_facts(_facts(context, draft).items())
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("no terminal to confirm on: --yes signs without asking")
        click.confirm("Sign this?", abort=True, err=True)
    signed = draft.signed(signer_for(context, name, sender, password_file), context.spec.genesis_hash)
    _put(context, signed, output or file)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True))
@common_options
@pass_context
def broadcast(context: Context, file: str) -> None:
    """Send a signed transfer from a file. No wallet is needed.

    \b
        pychain wallet broadcast transfer-7.json
    """
    draft = _read_draft(context, file)
    transfer = draft.transfer(context.spec.genesis_hash)

    async def send_it(node: Client) -> Sent:
        await require_same_chain(node, context.spec)
        return Sent(await node.send(transfer.raw), draft.sequence, draft.payment)

    _show_sent(context, draft.sender, context.ask(send_it))


# --- offline


def _complete(context: Context, sender: AccountName, payment: Payment, fee: FeeChoice, sequence: int | None) -> Draft:
    """The unsigned transfer. The node supplies what was not given; if all was given, no node is needed."""
    if sequence is not None and fee.fee is not None:
        return Draft(sender.public_key, sequence, payment)

    async def ask(node: Client) -> Draft:
        whole = await fee.apply(node, payment)
        account = await covering_account(node, context.spec, sender, whole)
        return Draft(sender.public_key, account.pending_sequence if sequence is None else sequence, whole)

    return context.ask(ask)


def _write_transfer(
    context: Context, name: str, sender: AccountName, draft: Draft, output: str | None, password_file: str | None
) -> None:
    if not sender.watched:
        draft = draft.signed(signer_for(context, name, sender, password_file), context.spec.genesis_hash)
    _put(context, draft, output or f"transfer-{draft.sequence}.json")


def _read_draft(context: Context, file: str) -> Draft:
    with click.open_file(file, "rb") as opened:
        return decode_draft(context.spec, opened.read(MAX_DOCUMENT_BYTES + 1))


def _put(context: Context, draft: Draft, output: str) -> None:
    """Write a transfer's file and say what is in it."""
    data = encode_draft(context.spec, draft)
    if output == "-":
        click.echo(data.decode(), nl=False)
        return
    write_whole(Path(output).absolute(), data)
    facts = {"file": output, **_facts(context, draft)}
    if context.json:
        print_json(facts)
    else:
        print_facts(facts.items())


def _sender_in(wallet: SealedWallet, name: str, draft: Draft) -> AccountName:
    sender = wallet.account_of(draft.sender)
    if sender is None:
        raise WalletError(f"the paying account is not in wallet '{name}'")
    return sender


# --- what is shown


def _facts(context: Context, draft: Draft) -> dict[str, Any]:
    payment, spec = draft.payment, context.spec
    facts: dict[str, Any] = {
        "network": spec.name,
        "from": encode_address(spec.hrp, draft.sender),
        "to": encode_address(spec.hrp, payment.recipient),
        "amount": payment.amount if context.json else f"{coins(payment.amount)} coins",
        "fee": payment.fee if context.json else f"{coins(payment.fee)} coins",
        "sequence": draft.sequence,
        "memo": payment.memo.hex() if context.json else memo_text(payment.memo.hex()),
        "signed": draft.signature is not None,
    }
    if draft.signature is not None:
        facts["txid"] = hash_hex(draft.transfer(spec.genesis_hash).txid)
    return facts


def _show_sent(context: Context, sender: bytes, sent: Sent, **more: str) -> None:
    if not context.json:
        click.echo(sent.txid)
        return
    print_json(
        {
            "txid": sent.txid,
            "from": encode_address(context.spec.hrp, sender),
            "to": encode_address(context.spec.hrp, sent.payment.recipient),
            "amount": sent.payment.amount,
            "fee": sent.payment.fee,
            "sequence": sent.sequence,
            **more,
        }
    )


# --- replacing


async def _pending_transfer(node: Client, txid: str) -> Transfer:
    """A transfer of the mempool."""
    try:
        parse_hash_hex(txid)
    except DecodeError as error:
        raise click.BadParameter(str(error), param_hint="TXID") from None
    found = await node.transaction(txid)
    if found.confirmations:
        raise WalletError("the payment is mined already")
    transaction = decode_transaction(bytes.fromhex(found.hex))
    if not isinstance(transaction, Transfer):
        raise WalletError("this is no payment")
    return transaction


async def _raised(node: Client, old: Transfer, fee: int | None) -> Payment:
    """The same payment with the chosen fee, or with the fee for the next block."""
    payment = Payment(old.recipient, old.amount, old.fee, old.memo)
    least = replacement_fee(old.fee, payment.size, (await node.mempool_info()).minrelaytxfee)
    if fee is not None:
        if fee < least:
            raise WalletError(f"a replacement must pay at least {coins(least)} coins")
        return replace(payment, fee=fee)
    wanted = await FeeChoice(None, 1).apply(node, payment)
    return replace(payment, fee=max(least, wanted.fee))
