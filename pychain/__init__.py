"""pychain: a proof-of-work blockchain node whose one state machine is a daemon, a test fixture and a simulation."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pychain-node")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
