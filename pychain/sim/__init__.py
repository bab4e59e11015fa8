"""Sim: a world of many real nodes in one process, in virtual time, the same for the same seed.

The nodes are the daemon's, unmodified, over real bytes; the world models what is around them: links that delay and
cut bytes, disks that take time and crash, miners that draw their solving times. `world` is the way in for tests. On top
of it stand the scenarios: `play` one with a seed and parameters, and a report says what came of it.
"""
