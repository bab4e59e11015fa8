"""The node: a state machine without I/O that joins peer protocol, ledger and consensus.

    effects = node.handle(input, now)    # one input at a time, then carry the effects out in order
    node.deadline()                      # monotonic ns at which it wants a `Tick`, or None

The same code runs in the daemon, in tests and in the simulator; runtimes differ only in how they carry out the effects.
"""
