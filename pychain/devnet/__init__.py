"""Devnet: a local network of real nodes, each a process of its own with its own data directory.

It starts daemons and talks to their API; it shares no code with what it runs. `network.Devnet` is the network,
`processes` one node's process, `observer` what all of them say, `view` how that looks, `traffic` transfers between
them, `audit` the account at the end.
"""
