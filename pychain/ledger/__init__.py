"""Ledger: the book that a node keeps. Block tree, reorganisation plans, account state, waiting objects, mempool,
templates.

Pure data structures over a `Store` that others implement; nothing here sends, waits or reads a clock.
"""
