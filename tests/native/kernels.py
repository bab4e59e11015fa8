"""The kernels of this machine, by kind, in the order of their names.

`native.kernels()` has the fastest first. Which one that is, each process measures for itself; the parallel processes of
one test run have to agree on the list of tests.
"""

from __future__ import annotations

from pychain import native

SHA256_KERNELS = sorted(name for name in native.kernels() if name.startswith("sha256:"))
ED25519_KERNELS = sorted(name for name in native.kernels() if name.startswith("ed25519:"))
KERNELS = SHA256_KERNELS + ED25519_KERNELS
