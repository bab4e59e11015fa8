"""For development networks: reverting to a snapshot of the whole node, and automatic mining."""
