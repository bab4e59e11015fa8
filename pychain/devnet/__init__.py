"""Devnet: a local network of real nodes, each in its own process with its own data directory.

It starts daemons and talks to their API; it shares no code with them. `network.Devnet` is the network and its faults,
`processes` its processes, `record` and `directory` let other shells find them. `links` are the links as data, `relay`
is the process that carries them, `control` its control socket. `observer` collects the state of all nodes, `view` and
`watch` show it, `status` shows it once; `traffic` and `load` make transfers, `session` is a devnet in the foreground,
`audit` the check at its end.
"""
