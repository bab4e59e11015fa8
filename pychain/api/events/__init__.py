"""Server-sent events: the node's events, sent to any number of listeners.

`views` defines what an event looks like, `ring` keeps the last ones for listeners that reconnect, `broadcast` sends
to all listeners at each one's reading pace, `stream` is one listener.
"""
