"""One HTTP/1.1 connection over asyncio streams; h11 speaks the protocol."""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple

import h11

from pychain.client.endpoint import Endpoint
from pychain.client.errors import ClientError, UnreachableError

CONNECT_TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 1 << 30
"""Ten times a verbose mempool of 400,000 transfers; an endless answer is not read into memory."""
_READ_BYTES = 64 * 1024


class Response(NamedTuple):
    """A complete answer."""

    status: int
    body: bytes


class Connection:
    """One connection; requests go one after another."""

    def __init__(self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._endpoint = endpoint
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    @classmethod
    async def open(cls, endpoint: Endpoint) -> Connection:
        """Connect; UnreachableError if nobody answers."""
        tls = ssl.create_default_context() if endpoint.tls else None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=tls)
        except TimeoutError:
            raise UnreachableError(f"the node at {endpoint.host_port} does not answer") from None
        except OSError as error:
            why = error.strerror or str(error)
            raise UnreachableError(f"cannot connect to the node at {endpoint.host_port}: {why}") from None
        return cls(endpoint, reader, writer)

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent: the last answer was read, and neither side has closed."""
        return self._http.our_state is h11.IDLE and not self._reader.at_eof() and not self._writer.is_closing()

    async def post(self, path: str, body: bytes) -> Response:
        """Send a JSON document and read the answer. UnreachableError if the node closes the connection."""
        headers = [
            ("Host", self._endpoint.host_port),
            ("Authorization", self._endpoint.authorization),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ]
        request = h11.Request(method="POST", target=path, headers=headers)
        try:
            parts = (request, h11.Data(data=body), h11.EndOfMessage())
            self._writer.write(b"".join(self._http.send(part) or b"" for part in parts))
            await self._writer.drain()
            response = await self._answer()
        except (OSError, h11.RemoteProtocolError) as error:
            raise UnreachableError(f"the node at {self._endpoint.host_port} closed the connection: {error}") from None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return response

    async def _answer(self) -> Response:
        status = 0
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_ANSWER_BYTES:
                    raise ClientError(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return Response(status, bytes(body))
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError("the answer ended early")

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # already closed
