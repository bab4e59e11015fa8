"""Errors of the API: JSON-RPC 2.0's own codes, and Bitcoin Core's (src/rpc/protocol.h) where the meaning is Core's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from pychain.base.errors import PychainError
from pychain.node.requests import Answer, Refused

_log = logging.getLogger(__name__)


class Code(IntEnum):
    """The `code` in an error object."""

    PARSE_ERROR = -32700
    """The body is not JSON."""
    INVALID_REQUEST = -32600
    """JSON, but not a request."""
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    """Parameters are missing, or too many."""
    INTERNAL_ERROR = -32603
    """A bug; the node's log has the traceback."""

    MISC_ERROR = -1
    TYPE_ERROR = -3
    """A parameter has the wrong JSON type."""
    INVALID_ADDRESS_OR_KEY = -5
    """An address, a key, or the hash of an unknown block or transaction."""
    INVALID_PARAMETER = -8
    """A parameter is out of range or has an unknown name."""
    NOT_CONNECTED = -9
    IN_INITIAL_DOWNLOAD = -10
    """The node is still syncing."""
    DESERIALIZATION_ERROR = -22
    """The hex is not a valid encoding of a block or transaction."""
    NODE_ALREADY_ADDED = -23
    NODE_NOT_ADDED = -24
    VERIFY_ERROR = -25
    """A transaction or block could not be checked, or not be accepted."""
    VERIFY_REJECTED = -26
    """A transaction or block breaks a consensus or mempool rule."""
    VERIFY_ALREADY_IN_CHAIN = -27
    """The transaction is already in a block."""
    NODE_NOT_CONNECTED = -29
    INVALID_IP_OR_SUBNET = -30
    NETWORK_DISABLED = -31


class RpcError(PychainError):
    """An error for the caller: a code for programs, a line for people."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def not_found(message: str) -> RpcError:
    """Core's answer for blocks and transactions that it does not know."""
    return RpcError(Code.INVALID_ADDRESS_OR_KEY, message)


def out_of_range(message: str) -> RpcError:
    return RpcError(Code.INVALID_PARAMETER, message)


def granted(answer: Answer, codes: Mapping[str, Code] = MappingProxyType({})) -> None:
    """Raise an error if the node refused; `codes` maps its codes, all others (it is stopping) are the general error."""
    if isinstance(answer, Refused):
        raise RpcError(codes.get(answer.code, Code.MISC_ERROR), answer.text)


def told(what: str, error: Exception) -> RpcError:
    """The error for an exception in a method; the log has the traceback of a bug."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, PychainError):
        return RpcError(Code.MISC_ERROR, str(error))
    if isinstance(error, OSError):
        _log.error("%s failed: %s", what, error)
        return RpcError(Code.MISC_ERROR, f"the node's disk or network failed: {error}")
    _log.error("internal error in %s", what, exc_info=error)
    return RpcError(Code.INTERNAL_ERROR, f"internal error: {type(error).__name__} (the node's log has more)")
