"""A typed async client of a node's API.

async with Client(endpoint_of(datadir)) as node:
    height = await node.call("getblockcount", result=int)
    info = await node.chain_info()
"""

from pychain.client.client import Call, Client
from pychain.client.endpoint import Endpoint, endpoint_of, stratum_of
from pychain.client.errors import ClientError, RefusedError, UnauthorizedError, UnreachableError

__all__ = [
    "Call",
    "Client",
    "ClientError",
    "Endpoint",
    "RefusedError",
    "UnauthorizedError",
    "UnreachableError",
    "endpoint_of",
    "stratum_of",
]
