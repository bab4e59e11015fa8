"""pychain: a proof-of-work blockchain node whose one state machine is a daemon, a test fixture and a simulation."""

__version__ = "0.1.0"
"""The distribution's version as well. It stands here, as to ask the installation for it takes as long as to start."""
