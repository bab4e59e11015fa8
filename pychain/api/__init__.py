"""The API of a node, independent of its runtime: JSON-RPC, REST, events, metrics, the explorer.

`backend` is its interface to the node and the runtime, `context` its state between calls. `method` turns typed
functions into methods, `methods` are those functions, `views` their results; `jsonrpc` serves calls, `rest`
resources, `events` the event stream; `site` is the table of routes that a runtime mounts.
"""
