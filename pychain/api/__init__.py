"""The API of a node, whatever runtime it lives in: JSON-RPC, REST, events, metrics, the explorer.

`backend` is all that it needs of the node and its runtime, `context` what it keeps between calls. `method` turns typed
functions into methods, `methods` are those functions, `views` what they show; `jsonrpc` serves calls, `rest`
resources, `events` what happens; `site` is the table of routes that a runtime mounts.
"""
