"""A header on its parent: the bits and the time that it must have on its branch."""

from __future__ import annotations

from tests.specification.headers import Header
from tests.specification.network import Network
from tests.specification.retarget import Branch, next_bits
from tests.specification.rules import require

MEDIAN_SPAN = 11


def median_time(branch: Branch) -> int:
    """The median time of the last 11 headers, or of all if there are fewer."""
    times = sorted(header.time for header in branch[-MEDIAN_SPAN:])
    return times[len(times) // 2]


def check_header_on(network: Network, branch: Branch, header: Header) -> None:
    """Check that the header may follow the branch, regardless of the present time."""
    require(header.bits == next_bits(network, branch), "bad-diffbits")
    require(header.time > median_time(branch), "time-too-old")
    if len(branch) == 1:
        require(header.time >= network.start_time, "time-before-start")


def check_not_too_new(network: Network, header: Header, clock: int) -> None:
    """Check the header's time against the clock. A failure is temporary: try again later."""
    require(header.time <= clock + network.max_future_s, "time-too-new")
