"""The agent: a process that holds an unlocked wallet's keys for a while and only signs transfers with them.

`python -m pychain.keystore.agent DIRECTORY NAME SECONDS` reads the seeds (JSON, by label) from standard input, so they
are on no command line and in no environment; it listens on the socket NAME.agent in the wallets' directory, open only
to its owner, prints "ready" and exits when its time is up. A connection carries one request and its answer, a line of
JSON each. No request reveals a key.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec

from pychain.chain.transaction import MAX_MEMO_BYTES, TRANSFER_BYTES
from pychain.wallet.keys import PrivateKey
from pychain.wallet.payment import is_transfer_message

MAX_TIMEOUT_S = 24 * 3600
MAX_LINE_BYTES = 4 * (TRANSFER_BYTES + MAX_MEMO_BYTES)
"""A request to sign the longest transfer fits, in hex."""
MAX_SEEDS_BYTES = 1024 * 1024
CLIENT_TIMEOUT_S = 5.0
"""For a connection's one line: a slower client makes others wait."""

Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$", max_length=MAX_LINE_BYTES)]


class Sign(msgspec.Struct, tag_field="ask", tag="sign"):
    """Sign a transfer: `message` is what its signature covers."""

    public_key: Hex
    message: Hex


class Status(msgspec.Struct, tag_field="ask", tag="status"):
    """How long the agent still runs, for an account or (empty) for any."""

    public_key: Hex = ""


class Lock(msgspec.Struct, tag_field="ask", tag="lock"):
    """Forget all keys and exit."""


Request = Sign | Status | Lock


class Answer(msgspec.Struct, omit_defaults=True):
    """`until` is the Unix time at which the agent ends, 0 where it just does."""

    until: int = 0
    signature: str = ""
    error: str = ""


def socket_name(wallet: str) -> str:
    """The socket's file in the wallets' directory."""
    return f"{wallet}.agent"


class Agent:
    """Serves one wallet's keys until the end of its time."""

    def __init__(self, keys: Mapping[bytes, PrivateKey], timeout_s: float, vanish: Callable[[], None]) -> None:
        """`keys` by public key. `vanish` removes the socket; it is called before the last answer is sent, so the
        receiver may start another agent at once."""
        self._keys = keys
        self._vanish = vanish
        self._ends_ns = time.monotonic_ns() + round(timeout_s * 1e9)
        self._until = round(time.time() + timeout_s)
        self._locked = False

    def serve(self, listener: socket.socket) -> None:
        """Answer connections one after the other. Returns when the time is up or the wallet is to be locked."""
        while (left := self._left_s()) > 0:
            listener.settimeout(left)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                return
            with connection, suppress(OSError):
                connection.settimeout(CLIENT_TIMEOUT_S)
                line = connection.makefile("rb").readline(MAX_LINE_BYTES)
                answer = self.answer(line)
                if self._locked:
                    self._vanish()
                connection.sendall(msgspec.json.encode(answer) + b"\n")

    def answer(self, line: bytes) -> Answer:
        """The answer to a request."""
        if self._left_s() <= 0:
            return Answer(error="the time is up")
        try:
            request = msgspec.json.decode(line, type=Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Answer(error="not a request")
        if isinstance(request, Lock):
            self._locked = True
            return Answer()
        public_key = bytes.fromhex(request.public_key)
        if isinstance(request, Status) and not public_key:
            return Answer(self._until)
        key = self._keys.get(public_key)
        if key is None:
            return Answer(error="the account is not among the unlocked ones")
        if isinstance(request, Status):
            return Answer(self._until)
        return self._sign(key, bytes.fromhex(request.message))

    def _sign(self, key: PrivateKey, message: bytes) -> Answer:
        if not is_transfer_message(message, key.public_key):
            return Answer(error="only transfers of the account itself are signed")
        return Answer(self._until, key.sign(message).hex())

    def _left_s(self) -> float:
        """Seconds left; the wall clock counts too, since a machine may have slept."""
        if self._locked or time.time() >= self._until:
            return 0.0
        return (self._ends_ns - time.monotonic_ns()) / 1e9


def main(directory: Path, name: str, timeout_s: float) -> None:
    """Run the agent of a wallet."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no key in a core file
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o177)
    seeds = msgspec.json.decode(sys.stdin.buffer.read(MAX_SEEDS_BYTES), type=list[Hex])
    keys = {key.public_key: key for key in (PrivateKey(bytes.fromhex(seed)) for seed in seeds)}
    os.chdir(directory)  # a socket's path may have about a hundred characters: this one is short
    with socket.socket(socket.AF_UNIX) as listener:
        with suppress(FileNotFoundError):
            os.unlink(socket_name(name))
        listener.bind(socket_name(name))
        listener.listen()
        inode = os.stat(socket_name(name)).st_ino

        def vanish() -> None:
            with suppress(FileNotFoundError):
                if os.stat(socket_name(name)).st_ino == inode:  # and not that of another agent
                    os.unlink(socket_name(name))

        try:
            print("ready", flush=True)
            sys.stdout.close()
            Agent(keys, timeout_s, vanish).serve(listener)
        finally:
            vanish()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
