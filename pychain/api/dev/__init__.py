"""For development networks: going back to a snapshot of the whole node, and mining by itself."""
