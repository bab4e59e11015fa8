"""How nodes talk, without I/O: framing, messages, peer states, and one small manager for each sub-protocol."""
