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
    """A suggestion, and the target that it is for."""

    feerate: FeeRate
    blocks: Target


@group.method(example=(3,))
async def estimatesmartfee(context: Context, conf_target: Target) -> FeeEstimateView:
    """What a transfer should pay to be mined within so many blocks.

    The dearer of two answers: the least rate with which it would have been mined within that time, whenever in the last
    24 blocks it had been sent; and the rate that overtakes enough of the mempool. Never less than the relay fee. This
    is arithmetic on what happened, no forecast.
    """
    return FeeEstimateView(feerate=await context.fees.rate(conf_target), blocks=conf_target)
