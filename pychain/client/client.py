"""The client: JSON-RPC 2.0 calls and batches over connections that are kept open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, TypeVar, overload

import msgspec

from pychain.client.connection import Connection
from pychain.client.endpoint import Endpoint
from pychain.client.errors import ClientError, RefusedError, UnauthorizedError
from pychain.client.results import (
    Account,
    ChainInfo,
    ChainSpec,
    ChainTip,
    FeeEstimate,
    Header,
    HistoryEntry,
    Located,
    MempoolEntry,
    MempoolInfo,
    MiningInfo,
    NetworkInfo,
    Peer,
    PendingPayment,
    RawHeaders,
)

T = TypeVar("T")

CALL_TIMEOUT_S = 60.0
"""Default time for an answer; calls that wait for something pass their own, or None for no limit."""
RPC_PATH = "/rpc"
MAX_ERROR_CHARACTERS = 300
"""How much of an answer that is not JSON is shown."""


class Call(NamedTuple):
    """One call of a batch."""

    method: str
    params: Sequence[Any] | dict[str, Any] = ()


class _Request(msgspec.Struct):
    id: int
    method: str
    params: Sequence[Any] | dict[str, Any]
    jsonrpc: str = "2.0"


class _Error(msgspec.Struct):
    code: int
    message: str


class _Answer(msgspec.Struct):
    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class Client:
    """Calls to one node. Use it as an async context manager, or `close` it. Any number of calls may be in flight."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._idle: list[Connection] = []

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            await self._idle.pop().close()

    # --- calls

    @overload
    async def call(self, method: str, *params: Any, timeout_s: float | None = CALL_TIMEOUT_S) -> Any: ...

    @overload
    async def call(self, method: str, *params: Any, result: type[T], timeout_s: float | None = CALL_TIMEOUT_S) -> T: ...

    async def call(self, method: str, *params: Any, result: Any = Any, timeout_s: float | None = CALL_TIMEOUT_S) -> Any:
        """The result of a call, converted to the type `result`.

        RefusedError if the node answers with an error, UnreachableError if it does not answer, UnauthorizedError if it
        refuses the login, ClientError for an answer of the wrong form.
        """
        [answer] = await self._exchange([Call(method, params)], timeout_s)
        return _value(answer, result)

    async def call_named(self, method: str, params: dict[str, Any], *, timeout_s: float | None = CALL_TIMEOUT_S) -> Any:
        """Like `call`, with named parameters."""
        [answer] = await self._exchange([Call(method, params)], timeout_s)
        return _value(answer, Any)

    async def batch(
        self, calls: Sequence[Call], *, timeout_s: float | None = CALL_TIMEOUT_S
    ) -> list[Any | RefusedError]:
        """The results of several calls in one request, in their order; a refused one is its error."""
        results: list[Any | RefusedError] = []
        for answer in await self._exchange(calls, timeout_s):
            try:
                results.append(_value(answer, Any))
            except RefusedError as error:
                results.append(error)
        return results

    # --- those that the commands and the devnet use

    async def chain_info(self) -> ChainInfo:
        return await self.call("getblockchaininfo", result=ChainInfo)

    async def chain_tips(self) -> list[ChainTip]:
        return await self.call("getchaintips", result=list[ChainTip])

    async def header(self, block_hash: str) -> Header:
        return await self.call("getblockheader", block_hash, result=Header)

    async def raw_headers(self, start: int) -> bytes:
        """Headers of the active chain from a height on, joined: as many as the node returns at once."""
        return bytes.fromhex((await self.call("getblockheaders", start, result=RawHeaders)).headers)

    async def transaction(self, txid: str) -> Located:
        """A transaction of the mempool or the active chain, and where it is."""
        return await self.call("getrawtransaction", txid, True, result=Located)

    async def mining_info(self) -> MiningInfo:
        return await self.call("getmininginfo", result=MiningInfo)

    async def network_info(self) -> NetworkInfo:
        return await self.call("getnetworkinfo", result=NetworkInfo)

    async def peers(self) -> list[Peer]:
        return await self.call("getpeerinfo", result=list[Peer])

    async def mempool_info(self) -> MempoolInfo:
        return await self.call("getmempoolinfo", result=MempoolInfo)

    async def mempool(self) -> dict[str, MempoolEntry]:
        return await self.call("getrawmempool", True, result=dict[str, MempoolEntry])

    async def account(self, address: str) -> Account:
        return await self.call("getaccount", address, result=Account)

    async def account_history(self, address: str, count: int = 100, before: str | None = None) -> list[HistoryEntry]:
        """An account's mined entries, the newest first; `before` is the txid of the entry after which to continue."""
        return await self.call("getaccounthistory", address, count, before, result=list[HistoryEntry])

    async def account_pending(self, address: str) -> list[PendingPayment]:
        """An account's pending transfers."""
        return await self.call("getaccountpending", address, result=list[PendingPayment])

    async def fee_estimate(self, blocks: int) -> FeeEstimate:
        """The fee rate for being mined within `target` blocks."""
        return await self.call("estimatesmartfee", blocks, result=FeeEstimate)

    async def chain_spec(self) -> ChainSpec:
        return await self.call("getchainspec", result=ChainSpec)

    async def send(self, raw_transfer: bytes) -> str:
        """Send a signed transfer; returns its txid."""
        return await self.call("sendrawtransaction", raw_transfer.hex(), result=str)

    # --- the wire

    async def _exchange(self, calls: Sequence[Call], timeout_s: float | None) -> list[_Answer]:
        requests = [_Request(number, call.method, call.params) for number, call in enumerate(calls)]
        body = msgspec.json.encode(requests[0] if len(requests) == 1 else requests)
        try:
            async with asyncio.timeout(timeout_s):
                text = await self._post(body)
        except TimeoutError:
            raise ClientError(f"the node at {self.endpoint.host_port} did not answer within {timeout_s:g} s") from None
        try:
            if len(requests) == 1:
                return [msgspec.json.decode(text, type=_Answer)]
            answers = {answer.id: answer for answer in msgspec.json.decode(text, type=list[_Answer])}
            return [answers[number] for number in range(len(requests))]
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
            shown = text[:MAX_ERROR_CHARACTERS].decode("utf-8", "replace").strip()
            raise ClientError(f"the answer is not JSON-RPC: {shown}") from None

    async def _post(self, body: bytes) -> bytes:
        connection = await self._connection()
        try:
            response = await connection.post(RPC_PATH, body)
        except BaseException:  # cancelled or broken: its next answer would not belong to the next call
            await connection.close()
            raise
        if connection.is_reusable:
            self._idle.append(connection)
        else:
            await connection.close()
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise UnauthorizedError(f"the node at {self.endpoint.host_port} refuses this user and password")
        return response.body

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable:
                return connection
            await connection.close()
        return await Connection.open(self.endpoint)


def _value(answer: _Answer, result: Any) -> Any:
    if answer.error is not None:
        raise RefusedError(answer.error.code, answer.error.message)
    try:
        return msgspec.json.decode(answer.result, type=result)
    except msgspec.ValidationError as error:
        raise ClientError(f"the node's answer has the wrong form: {error}") from None
