"""Devnet: a local network of real nodes, each a process of its own with its own data directory.

It starts daemons and talks to their API; it shares no code with what it runs. `network.Devnet` is the network and what
is done to it, `processes` its processes, `record` and `directory` how other shells find them. `links` are its links as
data, `relay` the process that they run through, `control` how that is told. `observer` is what all nodes say, `view`
and `watch` how that looks, `status` the same for once; `traffic` and `load` are transfers between them, `session` is a
devnet in the foreground, `audit` the account at its end.
"""
