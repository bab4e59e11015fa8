"""Fees: what a transfer should pay."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pychain.api.context import Context
from pychain.api.method import Group
from pychain.api.types import FeeRate

group = Group("fees", "Fees")

MAX_TARGET = 1_008
"""As in Core."""

Target = Annotated[int, Meta(ge=1, le=MAX_TARGET, description="blocks")]


class FeeEstimateView(Struct, kw_only=True):
    """A suggestion, and its target."""

    feerate: FeeRate
    blocks: Target


@group.method(example=(3,))
async def estimatesmartfee(context: Context, conf_target: Target) -> FeeEstimateView:
    """The fee rate for a transfer to be mined within a number of blocks.

    The higher of two rates: the lowest that would have been mined within that time, at any point of the last 24 blocks;
    and the rate that outbids enough of the mempool. Never less than the relay fee. This is arithmetic on past blocks,
    not a forecast.
    """
    return FeeEstimateView(feerate=await context.fees.rate(conf_target), blocks=conf_target)
