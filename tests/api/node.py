"""A real node for the API's tests, called by plain HTTP, so that server and test share no code."""

from __future__ import annotations

import base64
import http.client
import json
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from pychain.chain.address import encode_address
from pychain.chain.spec import packaged_spec
from pychain.wallet.keys import PrivateKey, dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.daemon.process import TIMEOUT_S, Daemon

SPEC = packaged_spec("dev")


class ApiError(Exception):
    """The node answered with an error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Caller:
    """One connection to a node's API."""

    def __init__(self, host: str, port: int, authorization: str) -> None:
        self._where = (host, port, authorization)
        self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def another(self) -> Caller:
        """A second connection, for calls at the same time."""
        return Caller(*self._where)

    def as_user(self, authorization: str) -> Caller:
        """A connection of somebody else."""
        return Caller(*self._where[:2], authorization)

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, *params: Any, **named: Any) -> Any:
        """The result of a call; ApiError where it is an error."""
        document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": named or params}
        headers = {"Content-Type": "application/json", "Authorization": self._where[2]}
        self._connection.request("POST", "/rpc", json.dumps(document), headers)
        answer = json.loads(self._connection.getresponse().read())
        if "error" in answer:
            raise ApiError(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]


class ApiNode(Caller):
    """A node, on the dev network by default. As a context manager it is killed at the end."""

    def __init__(self, datadir: Path, network: str = "dev", **flags: Any) -> None:
        self.process = Daemon(datadir, network=network, **flags).wait_ready()
        assert self.process.ready is not None
        url = urlsplit(self.process.ready["api"])
        assert url.hostname is not None
        assert url.port is not None
        cookie = (datadir / ".cookie").read_bytes()
        super().__init__(url.hostname, url.port, "Basic " + base64.b64encode(cookie).decode())

    def __enter__(self) -> ApiNode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        self.process.kill()

    @property
    def base(self) -> str:
        """URL of the API, without a path."""
        assert self.process.ready is not None
        url: str = self.process.ready["api"]
        return url

    def generate(self, count: int, key: PrivateKey | None = None) -> list[str]:
        """Mine blocks, by default to the last of the funded keys."""
        hashes: list[str] = self.call("generatetoaddress", count, address(key or dev_key(9)))
        assert len(hashes) == count
        return hashes

    def transfer(
        self, key: PrivateKey, to: PrivateKey, amount: int, fee: int = 0, *, sequence: int | None = None
    ) -> str:
        """A signed transfer in hex, by default with the account's next sequence."""
        if sequence is None:
            sequence = self.call("getaccount", address(key))["pending_sequence"]
        assert sequence is not None
        return sign_transfer(key, SPEC.genesis_hash, sequence, Payment(to.public_key, amount, fee)).raw.hex()


def address(key: PrivateKey) -> str:
    return encode_address(SPEC.hrp, key.public_key)
