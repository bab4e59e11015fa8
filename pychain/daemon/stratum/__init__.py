"""The Stratum server: work for miners outside the node, over the protocol that all of them speak.

`limits` has every bound with its reason; `states`, `vardiff`, `jobs`, `shares` and `session` are one connection without
I/O; `registry` counts, `views` shows what it counted; `connection` and `server` are the sockets around them.
"""
