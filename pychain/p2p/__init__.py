"""The peer protocol without I/O: framing, messages, peer states, and a small manager for each sub-protocol."""
