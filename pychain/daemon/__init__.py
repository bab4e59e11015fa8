"""Daemon: the node as a process. The driver, TCP, threads, the miner, the store, the API, settings and the log."""
