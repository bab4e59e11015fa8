"""The package's checks of a single transfer."""

from __future__ import annotations

from pychain import native
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import signed_message
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.semantic import check_bounds
from pychain.consensus.structure import parse_transfer


def check_transfer(spec: ChainSpec, raw: bytes) -> None:
    """Levels 1 and 2, the signature under ZIP-215; RuleError where one of their rules is broken."""
    transfer = parse_transfer(raw)
    check_bounds(transfer)
    if not native.verify(transfer.sender, signed_message(spec.genesis_hash, transfer), transfer.signature):
        raise RuleError(Rule.TX_SIGNATURE)
