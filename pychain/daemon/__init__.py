"""Daemon: the node as a process. The driver loop, TCP, threads, the miner, the store, the API, settings and the log."""
