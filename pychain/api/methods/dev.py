"""For development: what only a network whose spec says `dev = true` allows."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pychain.api.context import Context
from pychain.api.errors import Code, out_of_range
from pychain.api.method import Group
from pychain.api.methods.lookups import payable_key
from pychain.api.types import Address, UnixTime
from pychain.chain.address import encode_address
from pychain.wallet.keys import dev_key

group = Group("dev", "Development networks alone", dev_only=True)

SnapshotId = Annotated[int, Meta(ge=0, description="what dev_snapshot gave")]
AutomineMode = Annotated[
    Literal["off", "transaction"] | bool | float,
    Meta(
        description="`off`, `transaction` (a block for each that arrives), or seconds between blocks; true and false "
        "stand for `transaction` and `off`"
    ),
]
MIN_INTERVAL_S = 0.001
MAX_INTERVAL_S = 1e6


class AutomineView(Struct, kw_only=True):
    """How the node mines by itself. `address` is whom the blocks pay."""

    mode: Literal["off", "transaction", "interval"]
    interval: Annotated[float | None, Meta(description="seconds between blocks")]
    address: Address | None


@group.method(example=(1795132800,))
def setmocktime(context: Context, timestamp: UnixTime) -> None:
    """Let the node's clock stand still at a time, or (0) go with the machine's again."""
    context.backend.mock_time(timestamp or None)


@group.method()
def dev_snapshot(context: Context) -> SnapshotId:
    """Keep the present state: tip, pending transfers, clock. Gives a number for dev_revert.

    Snapshots live in memory, as long as the node runs.
    """
    return context.snapshots.take()


@group.method(errors={Code.MISC_ERROR: "new blocks keep coming, or old ones are not stored any more"}, example=(1,))
async def dev_revert(context: Context, snapshot: SnapshotId) -> bool:
    """Go back to a snapshot, clock and pending transfers included; it and later ones are forgotten.

    False where there is no such snapshot. The blocks since then count as invalid here, and networking is switched off,
    since peers do not follow; `setnetworkactive true` switches it on.
    """
    return await context.snapshots.revert(snapshot)


@group.method(
    errors={
        Code.INVALID_ADDRESS_OR_KEY: "no address of this network",
        Code.INVALID_PARAMETER: "no mode, or an interval that is none",
    },
    example=("transaction",),
)
def dev_automine(context: Context, mode: AutomineMode | None = None, address: Address | None = None) -> AutomineView:
    """Mine by itself: a block for each transfer that arrives, one every so many seconds, or not; without a mode, tell.

    Blocks pay `address`, by default whom the node mines to, else the first of the well-known keys.
    """
    automine, queries = context.automine, context.queries
    if mode is not None:
        recipient = queries.mining_to or dev_key(0).public_key
        automine.set(_mode(mode), recipient if address is None else payable_key(context, address))
    current, paid = automine.mode, automine.recipient
    return AutomineView(
        mode=current if isinstance(current, str) else "interval",
        interval=None if isinstance(current, str) else current,
        address=None if paid is None else encode_address(queries.spec.hrp, paid),
    )


def _mode(mode: AutomineMode) -> Literal["off", "transaction"] | float:
    if isinstance(mode, bool):
        return "transaction" if mode else "off"
    if isinstance(mode, str):
        return mode
    if not MIN_INTERVAL_S <= mode <= MAX_INTERVAL_S:
        raise out_of_range(f"the seconds between blocks are {MIN_INTERVAL_S} to {MAX_INTERVAL_S}")
    return mode
