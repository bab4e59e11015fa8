"""Node: the state machine without I/O that joins p2p, ledger and wallet-free consensus.

    effects = node.handle(input, now)    # one input at a time, then carry the effects out in order
    node.deadline()                      # monotonic ns at which it wants a `Tick`, or None

The same code runs in the daemon, in tests and in the simulator; worlds differ only in how they carry the effects out.
"""
