"""Payments through a node: what they need to know from it, and how one is signed and sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import click

from pychain.base.units import format_coins
from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import ChainSpec
from pychain.cli.arguments import to_base_units
from pychain.cli.context import Context
from pychain.cli.secret import get_password
from pychain.client import Client
from pychain.client.results import Account
from pychain.keystore import AccountName, KeystoreError
from pychain.keystore.unlocked import AgentKey, unlocked_until
from pychain.wallet.errors import WalletError
from pychain.wallet.keys import Signer
from pychain.wallet.payment import Payment, fee_for, sign_transfer

DEFAULT_TARGET = 3
"""Default for the number of blocks within which a payment should be mined."""
MAX_TARGET = 1_008
"""What the node answers for."""

fee_option = click.option(
    "--fee", callback=to_base_units, metavar="COINS", help="Fee for the miner (default: the node's suggestion)."
)
target_option = click.option(
    "--target",
    type=click.IntRange(1, MAX_TARGET),
    default=DEFAULT_TARGET,
    show_default=True,
    metavar="BLOCKS",
    help="Without --fee: pay for being mined within N blocks.",
)


@dataclass(frozen=True, slots=True)
class FeeChoice:
    """The fee of a payment: given in base units, or estimated by the node for `target` blocks."""

    fee: int | None
    target: int = DEFAULT_TARGET

    async def apply(self, node: Client, draft: Payment) -> Payment:
        """The draft with its fee."""
        if self.fee is not None:
            return replace(draft, fee=self.fee)
        estimate = await node.fee_estimate(self.target)
        return replace(draft, fee=fee_for(draft.size, estimate.feerate))


@dataclass(frozen=True, slots=True)
class Sent:
    """A payment that the node accepted."""

    txid: str
    sequence: int
    payment: Payment


async def require_same_chain(node: Client, spec: ChainSpec) -> None:
    """WalletError if the node is on another chain, or so far behind that its accounts are out of date."""
    info = await node.chain_info()
    if info.genesis != hash_hex(spec.genesis_hash):
        raise WalletError(f"the node is on the chain of genesis {info.genesis}, not on '{spec.name}'")
    if info.initialblockdownload:
        raise WalletError(
            f"the node is still syncing, at block {info.blocks} of {info.headers}: try again when it is done"
        )


async def covering_account(node: Client, spec: ChainSpec, sender: AccountName, payment: Payment) -> Account:
    """The paying account as it is now; WalletError if it does not cover the payment."""
    await require_same_chain(node, spec)
    account = await node.account(encode_address(spec.hrp, sender.public_key))
    require_funds(sender, account, payment.amount + payment.fee)
    return account


def require_funds(sender: AccountName, account: Account, cost: int) -> None:
    """WalletError if the amount is not available. An account without coins can send nothing, not even for free."""
    if account.balance == 0:
        immature = f", {format_coins(account.immature)} are immature" if account.immature else ""
        raise WalletError(f"account '{sender.label}' has no coins yet{immature}")
    if cost > account.available:
        immature = f", {format_coins(account.immature)} more are immature" if account.immature else ""
        raise WalletError(
            f"{format_coins(cost)} coins are needed, account '{sender.label}' has "
            f"{format_coins(account.available)} available{immature}"
        )


def signer_for(context: Context, name: str, account: AccountName, password_file: str | None) -> Signer:
    """The signer of an account: the wallet's agent if that has its key, otherwise the key itself, for the password."""
    if account.watched:
        raise WalletError(
            f"account '{account.label}' is watch-only: write the payment with --offline, and sign it where the key is"
        )
    keystore = context.keystore
    if unlocked_until(keystore.directory, name, account.public_key) is not None:
        return AgentKey(keystore.directory, name, account.public_key)
    keys = keystore.load(name).unlock(get_password(password_file)).keys()
    if account.label not in keys:
        raise KeystoreError(f"wallet '{name}' was changed meanwhile: it has no account '{account.label}'")
    return keys[account.label]


def pay(context: Context, sender: AccountName, signer: Signer, draft: Payment, fee: FeeChoice) -> Sent:
    """Sign the draft with the account's next sequence (nonce) and send it. Two processes never choose the same one."""

    async def send(node: Client) -> Sent:
        payment = await fee.apply(node, draft)
        account = await covering_account(node, context.spec, sender, payment)
        sequence = account.pending_sequence
        transfer = sign_transfer(signer, context.spec.genesis_hash, sequence, payment)
        return Sent(await node.send(transfer.raw), sequence, payment)

    return holding(context, sender, send)


def holding(context: Context, sender: AccountName, work: Callable[[Client], Awaitable[Sent]]) -> Sent:
    """Use a node while no other process on this data directory pays from the account."""
    with context.keystore.sequence_locked(sender.public_key):
        return context.ask(work)
