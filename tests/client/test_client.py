"""The client against a real node, and against misbehaving servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError, PychainError
from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import packaged_spec
from pychain.client import (
    Call,
    Client,
    ClientError,
    Endpoint,
    RefusedError,
    UnauthorizedError,
    UnreachableError,
    endpoint_of,
)
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.daemon.process import TIMEOUT_S, Daemon

SPEC = packaged_spec("dev")
ADDRESS = encode_address(SPEC.hrp, dev_key(0).public_key)


@pytest.fixture(scope="module")
def datadir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a running node."""
    with Daemon(tmp_path_factory.mktemp("client") / "node", network="dev").wait_ready() as node:
        yield node.datadir


def ask(endpoint: Endpoint, question: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(TIMEOUT_S), Client(endpoint) as client:
            return await question(client)

    return asyncio.run(run())


# --- a real node


def test_results_come_typed(datadir: Path) -> None:
    async def question(client: Client) -> None:
        [block_hash] = await client.call("generatetoaddress", 1, ADDRESS)
        height = await client.call("getblockcount", result=int)
        info = await client.chain_info()
        assert (info.blocks, info.bestblockhash, info.chain) == (height, block_hash, "dev")
        header = await client.header(block_hash)
        assert (header.height, header.confirmations) == (height, 1)
        assert header.nextblockhash is None
        assert [tip.status for tip in await client.chain_tips()] == ["active"]
        mining = await client.mining_info()
        assert (mining.next.height, mining.mining, mining.miningaddress) == (height + 1, False, None)
        network = await client.network_info()
        assert (network.connections, await client.peers()) == (0, [])
        spec = await client.chain_spec()
        assert (spec.genesis, spec.dev) == (hash_hex(SPEC.genesis_hash), True)
        account = await client.account(ADDRESS)
        transfer = sign_transfer(
            dev_key(0), SPEC.genesis_hash, account.pending_sequence, Payment(dev_key(1).public_key, 5)
        )
        txid = await client.send(transfer.raw)
        assert txid == hash_hex(transfer.txid)
        assert (await client.mempool())[txid].sender == ADDRESS
        assert (await client.mempool_info()).size == 1

    ask(endpoint_of(datadir), question)


def test_a_refusal_carries_its_code(datadir: Path) -> None:
    async def question(client: Client) -> None:
        with pytest.raises(RefusedError, match="Block height out of range") as caught:
            await client.call("getblockhash", 10**6)
        assert caught.value.code == -8
        assert await client.call_named("getblockhash", {"height": 0}) == hash_hex(SPEC.genesis_hash)

    ask(endpoint_of(datadir), question)


def test_a_batch_keeps_its_order_and_its_refusals(datadir: Path) -> None:
    async def question(client: Client) -> None:
        found = await client.batch([Call("getblockhash", [0]), Call("nothing"), Call("getblockhash", {"height": 0})])
        assert found[0] == found[2] == hash_hex(SPEC.genesis_hash)
        assert isinstance(found[1], RefusedError)
        assert found[1].code == -32601
        assert await client.batch([Call("uptime")])

    ask(endpoint_of(datadir), question)


def test_many_calls_at_once_share_a_few_connections(datadir: Path) -> None:
    async def question(client: Client) -> None:
        results = await asyncio.gather(*(client.call("getblockhash", 0, result=str) for _ in range(50)))
        assert set(results) == {hash_hex(SPEC.genesis_hash)}
        slow = asyncio.create_task(client.call("waitfornewblock", 50, timeout_s=None))
        assert await client.call("getblockcount", result=int) >= 0
        await slow

    ask(endpoint_of(datadir), question)


def test_giving_up_leaves_the_client_fit(datadir: Path) -> None:
    async def question(client: Client) -> None:
        with pytest.raises(ClientError, match=r"did not answer within 0\.05 s"):
            await client.call("waitfornewblock", 0, timeout_s=0.05)
        assert await client.call("uptime", result=int) >= 0

    ask(endpoint_of(datadir), question)


def test_a_result_of_another_type_is_an_error(datadir: Path) -> None:
    async def question(client: Client) -> None:
        with pytest.raises(ClientError, match="has the wrong form"):
            await client.call("getbestblockhash", result=int)

    ask(endpoint_of(datadir), question)


def test_a_wrong_password_is_told_apart(datadir: Path) -> None:
    endpoint = endpoint_of(datadir)
    stranger = Endpoint(endpoint.host, endpoint.port, "__cookie__", "guess")
    with pytest.raises(UnauthorizedError, match="refuses this user and password"):
        ask(stranger, lambda client: client.chain_info())


def test_a_node_that_was_started_again_is_reached_by_the_same_client(tmp_path: Path) -> None:
    async def run() -> None:
        first = Daemon(tmp_path / "node", network="dev").wait_ready()
        try:
            endpoint = endpoint_of(first.datadir)
            client = Client(endpoint)
            await client.chain_info()
            first.stop()
            with pytest.raises(UnreachableError):
                await client.chain_info()
            with Daemon(tmp_path / "node", network="dev", api_port=endpoint.port).wait_ready():
                with pytest.raises(UnauthorizedError):  # the cookie is another
                    await client.chain_info()
                await client.close()
                async with Client(endpoint_of(first.datadir)) as again:
                    assert (await again.chain_info()).blocks == 0
        finally:
            first.kill()

    asyncio.run(run())


# --- where a node is


def test_without_a_node_there_is_no_endpoint(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"no node runs in .*; `pychain node` starts one"):
        endpoint_of(tmp_path)


@given(ready=st.binary(max_size=100), cookie=st.binary(max_size=20))
@example(b'{"api": "http://127.0.0.1:99999"}', b"a:b")
@example(b'{"api": "ftp://127.0.0.1:1"}', b"a:b")
@example(b'{"api": "http://[::1"}', b"a:b")
@example(b'{"api": "http://127.0.0.1:1"}', b"\xff")
def test_damaged_files_are_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, ready: bytes, cookie: bytes
) -> None:
    directory = tmp_path_factory.mktemp("files")
    (directory / "ready.json").write_bytes(ready)
    (directory / ".cookie").write_bytes(cookie)
    with pytest.raises(PychainError, match=r"ready\.json is not what a node writes"):
        endpoint_of(directory)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:5", Endpoint("127.0.0.1", 5)),
        ("http://[::1]:5", Endpoint("::1", 5)),
        ("http://zoe:p%40ss@node.example", Endpoint("node.example", 80, "zoe", "p@ss")),
        ("https://node.example", Endpoint("node.example", 443, tls=True)),
    ],
)
def test_urls_of_nodes(url: str, expected: Endpoint) -> None:
    assert Endpoint.parse(url) == expected


@pytest.mark.parametrize("url", ["", "127.0.0.1:5", "ftp://127.0.0.1", "http://", "http://x:0x", "http://[::1"])
def test_what_is_no_url_of_a_node(url: str) -> None:
    with pytest.raises(DecodeError, match="no URL of a node"):
        Endpoint.parse(url)


def test_a_password_is_not_in_text_forms() -> None:
    assert "secret" not in repr(Endpoint("127.0.0.1", 5, "zoe", "secret"))


# --- servers that do not behave


@asynccontextmanager
async def server(answer: bytes | None, seen: list[bytes] | None = None) -> AsyncIterator[Endpoint]:
    """Answers each connection's first request with these bytes, or (None) with silence."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if seen is not None:
                seen.append(head)
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield Endpoint("127.0.0.1", listening.sockets[0].getsockname()[1], "zoe", "secret")


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


def against(answer: bytes | None, timeout_s: float = TIMEOUT_S) -> Any:
    async def run() -> Any:
        async with server(answer) as endpoint, Client(endpoint) as client:
            return await client.call("anything", timeout_s=timeout_s)

    return asyncio.run(run())


def test_the_request_is_one_that_any_server_of_core_would_take() -> None:
    async def run() -> list[bytes]:
        seen: list[bytes] = []
        async with server(http(b'{"result": 1, "id": 0}'), seen) as endpoint, Client(endpoint) as client:
            assert await client.call("anything") == 1
        return seen

    [head] = asyncio.run(run())
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /rpc http/1.1"
    assert "content-type: application/json" in lines
    assert "authorization: basic em9lonnly3jlda==" in lines


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (http(b"<html>proxy error</html>", "502 Bad Gateway"), "the answer is not JSON-RPC: <html>proxy error"),
        (http(b""), "the answer is not JSON-RPC"),
        (http(b"[]"), "the answer is not JSON-RPC"),
        (http(b'{"error": 5}'), "the answer is not JSON-RPC"),
        (http(b"\xff"), "the answer is not JSON-RPC"),
        (b"", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "closed the connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "closed the connection"),
    ],
)
def test_a_server_that_does_not_behave_is_one_clear_error(answer: bytes, line: str) -> None:
    with pytest.raises(ClientError, match=line) as caught:
        against(answer)
    assert len(str(caught.value)) < 400


def test_silence_ends_with_the_timeout() -> None:
    with pytest.raises(ClientError, match=r"did not answer within 0\.05 s"):
        against(None, timeout_s=0.05)


def test_nobody_there_is_unreachable() -> None:
    async def run() -> Endpoint:
        async with server(b"") as endpoint:
            return endpoint

    with pytest.raises(UnreachableError, match=r"cannot connect to the node at 127\.0\.0\.1"):
        ask(asyncio.run(run()), lambda client: client.chain_info())


def test_answers_of_a_batch_may_come_in_any_order_but_must_all_come() -> None:
    def batch(answers: list[dict[str, object]]) -> Any:
        async def run() -> Any:
            async with server(http(json.dumps(answers).encode())) as endpoint, Client(endpoint) as client:
                return await client.batch([Call("one"), Call("two")])

        return asyncio.run(run())

    assert batch([{"id": 1, "result": "b"}, {"id": 0, "result": "a"}]) == ["a", "b"]
    with pytest.raises(ClientError, match="not JSON-RPC"):
        batch([{"id": 1, "result": "b"}])
