"""Stratum v1 without I/O: lines, messages, difficulties, jobs, and the miner's side of a connection.

The public protocol of miners: JSON objects, one per line, over TCP (`mining.subscribe`, `mining.authorize`,
`mining.notify`, `mining.submit`), and version rolling by BIP 310. The daemon's server and the `pychain miner` command
are built on it.
"""
