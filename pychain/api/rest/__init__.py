"""REST: read-only resources under /api/v1, from typed functions like the methods of JSON-RPC.

`endpoint` turns functions into endpoints and serves them, `chain`, `ledger` and `network` are those functions,
`openapi` describes them.
"""
