"""The ledger of a node: block tree, reorganisation plans, account state, orphans, mempool and block templates.

Pure data structures over a `Store`. Nothing here does I/O, waits or reads a clock. A transfer's `sequence` is its
sender's nonce: 0 for an account's first transfer, 1 for the second, and so on.
"""
