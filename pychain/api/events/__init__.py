"""Server-sent events: what happens on the node, told to any number of listeners.

`views` says what an event looks like, `ring` keeps the last ones for those who come back, `broadcast` tells all
listeners at the pace that each reads, `stream` is one listener.
"""
