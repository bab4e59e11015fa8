"""HTTP/1.1 on the node's own loop: a thin server on httptools (Node.js' parser), which knows nothing of the API.

`message` is what goes in and out, `connection` one caller, `server` all of them; `guard` and `limiter` judge who may
call, `assets` holds files that are served as they are.
"""
