"""Chain: frozen data and their bytes. Specs, headers, blocks, transactions, targets, addresses, genesis; no rules are
checked here.

Decoders raise only `DecodeError` and never allocate more than they were given. A hash is 32 raw bytes ("internal
order"); `hash_hex` is what people read.
"""
