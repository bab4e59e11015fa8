"""Unlocked wallets: starting a wallet's agent, querying it, and ending it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path

import msgspec

from pychain.keystore.agent import (
    CLIENT_TIMEOUT_S,
    MAX_LINE_BYTES,
    MAX_TIMEOUT_S,
    Answer,
    Lock,
    Request,
    Sign,
    Status,
    socket_name,
)
from pychain.keystore.errors import KeystoreError
from pychain.wallet.keys import PrivateKey

_AGENT = "pychain.keystore.agent"


class AgentKey:
    """An account's key, held by the wallet's agent: it signs only transfers."""

    def __init__(self, directory: Path, name: str, public_key: bytes) -> None:
        self._directory = directory
        self._name = name
        self._public_key = public_key

    @property
    def public_key(self) -> bytes:
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """The signature; KeystoreError if the agent refuses, or is gone."""
        answer = _ask(self._directory, self._name, Sign(self._public_key.hex(), message.hex()))
        if answer is None or answer.error:
            why = "it is locked again" if answer is None else answer.error
            raise KeystoreError(f"wallet '{self._name}' did not sign: {why}")
        return bytes.fromhex(answer.signature)


def unlocked_until(directory: Path, name: str, public_key: bytes = b"") -> int | None:
    """The Unix time until which a wallet's agent signs; None if no agent runs, or none with this account's key."""
    if not (directory / socket_name(name)).exists():
        return None
    answer = _ask(directory, name, Status(public_key.hex()))
    return None if answer is None or answer.error else answer.until


def unlock(directory: Path, name: str, keys: Iterable[PrivateKey], timeout_s: int) -> int:
    """Start an agent with these keys, replacing a running one; returns the Unix time at which it will end."""
    if not 1 <= timeout_s <= MAX_TIMEOUT_S:
        raise KeystoreError(f"a wallet stays unlocked for 1 to {MAX_TIMEOUT_S} seconds, not {timeout_s}")
    lock(directory, name)
    agent = subprocess.Popen(
        [sys.executable, "-m", _AGENT, str(directory), name, str(timeout_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # it outlives the terminal
        env={variable: value for variable, value in os.environ.items() if variable != "PYCHAIN_PASSWORD"},
    )
    assert agent.stdin is not None
    assert agent.stdout is not None
    with agent.stdin, agent.stdout:
        agent.stdin.write(msgspec.json.encode([key.seed.hex() for key in keys]))
        agent.stdin.close()
        said = agent.stdout.readline()
    until = unlocked_until(directory, name)
    if said != b"ready\n" or until is None:
        raise KeystoreError(f"the agent of wallet '{name}' did not start")
    agent.returncode = 0  # it runs on its own from here: no warning that nobody waited for it
    return until


def lock(directory: Path, name: str) -> bool:
    """End a wallet's agent; True if one ran."""
    return (directory / socket_name(name)).exists() and _ask(directory, name, Lock()) is not None


def _ask(directory: Path, name: str, request: Request) -> Answer | None:
    """The answer of a wallet's agent, None if none runs."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(CLIENT_TIMEOUT_S)
        try:
            with chdir(directory):  # a socket's path may have about a hundred characters
                connection.connect(socket_name(name))
            connection.sendall(msgspec.json.encode(request) + b"\n")
            return msgspec.json.decode(connection.makefile("rb").readline(MAX_LINE_BYTES), type=Answer)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
