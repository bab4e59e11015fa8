"""HTTP/1.1 on the node's own loop: a thin server on httptools (Node.js' parser), independent of the API.

`message` defines requests and responses, `connection` is one client, `server` all of them; `guard` and `limiter`
control access, `assets` serves static files.
"""
