"""pychain: a proof-of-work blockchain node whose one state machine is a daemon, a test fixture and a simulation."""

__version__ = "0.2.0"
"""The distribution's version as well. It is defined here, since querying the installation would double the start
time."""
