"""The agent: it signs transfers of its accounts until its time is up, and reveals no key."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain import native
from pychain.chain.transaction import signing_message
from pychain.keystore.agent import MAX_TIMEOUT_S, Agent, Answer, Lock, Request, Sign, Status
from pychain.keystore.errors import KeystoreError
from pychain.keystore.unlocked import AgentKey, lock, unlock, unlocked_until
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer

GENESIS = bytes(range(32))
KEY, OTHER = dev_key(0), dev_key(1)
PAYMENT = Payment(OTHER.public_key, 5, 6, b"memo")
MESSAGE = signing_message(GENESIS, sign_transfer(KEY, GENESIS, 3, PAYMENT).raw[:-64])


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory with a path too long for a socket's address. Its agents are ended."""
    long = tmp_path / ("x" * 100) / ("y" * 100)
    long.mkdir(parents=True)
    yield long
    for path in long.glob("*.agent"):
        lock(long, path.stem)


def agent(timeout_s: float = 60) -> Agent:
    return Agent({KEY.public_key: KEY}, timeout_s, lambda: None)


def asked(server: Agent, request: Request) -> Answer:
    return server.answer(msgspec.json.encode(request) + b"\n")


def processes_of(directory: Path) -> list[Path]:
    """Running agents of a directory, found by their command lines, which any user can see."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(directory).encode() in words:
            found.append(process)
    return found


def test_it_signs_what_the_key_itself_would(directory: Path) -> None:
    before = time.time()
    until = unlock(directory, "savings", [KEY], 60)
    assert before + 58 < until <= time.time() + 61
    assert unlocked_until(directory, "savings") == unlocked_until(directory, "savings", KEY.public_key) == until
    assert unlocked_until(directory, "savings", OTHER.public_key) is None, "an account that was made since"
    key = AgentKey(directory, "savings", KEY.public_key)
    transfer = sign_transfer(key, GENESIS, 3, PAYMENT)
    assert transfer == sign_transfer(KEY, GENESIS, 3, PAYMENT)
    assert native.verify_strict(KEY.public_key, MESSAGE, transfer.signature)
    assert lock(directory, "savings")
    assert not lock(directory, "savings")
    assert unlocked_until(directory, "savings") is None
    with pytest.raises(KeystoreError, match="did not sign: it is locked again"):
        key.sign(MESSAGE)


def test_its_socket_is_for_its_owner_alone_and_no_secret_is_in_the_process_list(directory: Path) -> None:
    unlock(directory, "savings", [KEY], 60)
    assert stat.S_IMODE((directory / "savings.agent").stat().st_mode) == 0o600
    [process] = processes_of(directory)
    for file in ("cmdline", "environ"):
        assert KEY.seed.hex().encode() not in (process / file).read_bytes()


def test_the_password_is_not_left_in_its_environment(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCHAIN_PASSWORD", "correct horse")
    unlock(directory, "savings", [KEY], 60)
    [process] = processes_of(directory)
    assert b"correct horse" not in (process / "environ").read_bytes()


def test_unlocking_again_takes_the_place_of_the_first(directory: Path) -> None:
    unlock(directory, "savings", [KEY], 60)
    until = unlock(directory, "savings", [KEY, OTHER], 600)
    assert unlocked_until(directory, "savings") == until > time.time() + 500
    assert AgentKey(directory, "savings", OTHER.public_key).public_key == OTHER.public_key


def test_it_ends_by_itself(directory: Path) -> None:
    unlock(directory, "savings", [KEY], 1)
    give_up = time.monotonic() + 60
    while processes_of(directory):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert not (directory / "savings.agent").exists()
    assert unlocked_until(directory, "savings") is None


def test_what_a_dead_one_left_is_nothing(directory: Path) -> None:
    unlock(directory, "savings", [KEY], 60)
    [process] = processes_of(directory)
    os.kill(int(process.name), 9)
    give_up = time.monotonic() + 60
    while unlocked_until(directory, "savings") is not None:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert (directory / "savings.agent").exists()
    unlock(directory, "savings", [KEY], 60)
    assert unlocked_until(directory, "savings") is not None


@pytest.mark.parametrize("timeout_s", [0, -1, MAX_TIMEOUT_S + 1])
def test_a_time_without_end_is_refused(directory: Path, timeout_s: int) -> None:
    with pytest.raises(KeystoreError, match="stays unlocked for 1 to"):
        unlock(directory, "savings", [KEY], timeout_s)


# --- what it answers


def test_it_signs_transfers_of_its_own_accounts_alone() -> None:
    server = agent()
    own = KEY.public_key.hex()
    assert asked(server, Sign(own, MESSAGE.hex())).signature == KEY.sign(MESSAGE).hex()
    for message in (
        b"",
        b"anything",
        MESSAGE[:-1],
        MESSAGE + b"\0",
        b"x" + MESSAGE[1:],  # another domain
        signing_message(GENESIS, sign_transfer(OTHER, GENESIS, 3, PAYMENT).raw[:-64]),  # another's
    ):
        answer = asked(server, Sign(own, message.hex()))
        assert (answer.signature, answer.error) == ("", "only transfers of the account itself are signed")
    assert "not among" in asked(server, Sign(OTHER.public_key.hex(), MESSAGE.hex())).error


def test_after_its_time_and_after_locking_it_signs_no_more() -> None:
    server = agent(timeout_s=0)
    assert asked(server, Sign(KEY.public_key.hex(), MESSAGE.hex())).error == "the time is up"
    server = agent()
    assert asked(server, Status()).until > time.time()
    assert asked(server, Lock()) == Answer()
    assert asked(server, Sign(KEY.public_key.hex(), MESSAGE.hex())).error == "the time is up"


@given(line=st.binary(max_size=200) | st.sampled_from([b'{"ask":"sign"}', b'{"ask":"export"}', b"[" * 10_000]))
def test_garbage_is_no_request(line: bytes) -> None:
    answer = agent().answer(line)
    assert answer == Answer(error="not a request")
    assert KEY.seed.hex() not in repr(answer)
