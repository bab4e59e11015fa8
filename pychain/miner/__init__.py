"""Searching for proofs of work on threads, for a node's own blocks and for a Stratum server's jobs.

`threads` is the engine, with its protocols for jobs and work; `meter` and `priority` serve it. `job`, `pool` and
`report` are the `pychain miner` command: a server's jobs, the connection that is kept up, and the output.
"""
