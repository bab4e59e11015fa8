"""The API of a running node over HTTP, in the node's own loop: JSON-RPC, REST, events, metrics, pages.

`method` turns typed functions into methods, `methods` are those functions, `views` what they show; `jsonrpc` serves
calls, `rest` resources, `events` what happens; `door` decides where a request leads and who may make it, and `site`
puts it all together.
"""
