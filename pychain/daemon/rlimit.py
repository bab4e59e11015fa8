"""File descriptors: each connection takes one, and the usual soft limit of 1,024 (macOS: 256) is soon used up."""

from __future__ import annotations

import resource

WANTED_DESCRIPTORS = 65_536
"""Far more than the connection limits allow; beyond it the kernel's tables would only grow."""
_MACOS_CEILING = 10_240
"""OPEN_MAX: the most that macOS accepts, even without a hard limit."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit as far as the hard limit and `WANTED_DESCRIPTORS` allow. Returns the limit now in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ceiling = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    for wanted in (ceiling, min(ceiling, _MACOS_CEILING)):
        if soft == resource.RLIM_INFINITY or wanted <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            continue
        return wanted
    return WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
