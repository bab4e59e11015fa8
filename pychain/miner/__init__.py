"""Searching for proofs of work on threads, for a node's own blocks and for a Stratum server's jobs.

`threads` is the engine and what a puzzle is to it; `meter` and `priority` serve it. `puzzle`, `pool` and `report` are
the `pychain miner` command: jobs as puzzles, the connection that is kept up, and what is told of it.
"""
