"""Sim: a network of many real nodes in one process, in virtual time, deterministic for a seed.

The nodes are the daemon's, unmodified, and exchange real bytes. The world simulates their environment: links that delay
and cut bytes, disks that take time and crash, miners that draw their solving times. Tests use `world`. Scenarios build
on it: `play` one with a seed and parameters to get a report.
"""
