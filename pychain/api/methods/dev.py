"""For development: methods that only a network whose spec says `dev = true` allows."""

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

group = Group("dev", "Development networks only", dev_only=True)

SnapshotId = Annotated[int, Meta(ge=0, description="the number from dev_snapshot")]
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
    """The automatic mining. `address` is paid by the blocks."""

    mode: Literal["off", "transaction", "interval"]
    interval: Annotated[float | None, Meta(description="seconds between blocks")]
    address: Address | None


@group.method(example=(1795132800,))
def setmocktime(context: Context, timestamp: UnixTime) -> None:
    """Stop the node's clock at a time, or (0) let it follow the machine's again."""
    context.backend.mock_time(timestamp or None)


@group.method()
def dev_snapshot(context: Context) -> SnapshotId:
    """Take a snapshot: tip, pending transfers, clock. Returns a number for dev_revert.

    Snapshots are in memory and end with the node.
    """
    return context.snapshots.take()


@group.method(errors={Code.MISC_ERROR: "new blocks keep coming, or old ones are no longer stored"}, example=(1,))
async def dev_revert(context: Context, snapshot: SnapshotId) -> bool:
    """Revert to a snapshot, with clock and pending transfers; it and later ones are dropped.

    False if there is no such snapshot. The blocks since then become invalid on this node, and networking is switched
    off, since peers do not follow; `setnetworkactive true` switches it on.
    """
    return await context.snapshots.revert(snapshot)


@group.method(
    errors={
        Code.INVALID_ADDRESS_OR_KEY: "not an address of this network",
        Code.INVALID_PARAMETER: "an unknown mode, or a bad interval",
    },
    example=("transaction",),
)
def dev_automine(context: Context, mode: AutomineMode | None = None, address: Address | None = None) -> AutomineView:
    """Set automatic mining: a block for each transfer that arrives, one per interval, or off; without a mode, show it.

    Blocks pay `address`, by default the node's mining address, else the first of the well-known keys.
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
        raise out_of_range(f"the interval between blocks is {MIN_INTERVAL_S} to {MAX_INTERVAL_S}")
    return mode
