"""Third-party programs that know the API only by its description, or by Bitcoin's conventions."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from bitcoinrpc.authproxy import AuthServiceProxy, JSONRPCException
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation

from pychain.api.openapi import document
from pychain.api.rest.resources import RESOURCES
from pychain.wallet.keys import dev_key
from tests.api.node import SPEC, ApiNode, address
from tests.daemon.process import TIMEOUT_S

EXAMPLES = 8
"""For each operation and way; `schemathesis run` below takes many more, and all its phases."""
LONG_EXAMPLES = 100
EVENTS = "/api/v1/events"
"""An answer without end, which is read for a second each time: the long form's part."""


OPERATIONS = [
    operation
    for result in schemathesis.openapi.from_dict(document(RESOURCES, {})).get_all_operations()
    if (operation := result.ok()).path != EVENTS
]


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        pytest.param(operation, mode, id=f"{operation.path}-{mode.value}")
        for operation in OPERATIONS
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or operation.definition.raw["parameters"]
    ],
)
def test_every_operation_answers_as_described(node: ApiNode, operation: APIOperation, mode: GenerationMode) -> None:
    """Statuses, types, schemas; valid calls are accepted, others are refused, and there are no internal errors."""
    session = requests.Session()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def ask(case: Case) -> None:
        case.call_and_validate(base_url=node.base, session=session)

    with session:
        ask()


@pytest.mark.long
@pytest.mark.parametrize(
    ("which", "examples"), [("--exclude-path", LONG_EXAMPLES), ("--include-path", 3)], ids=["answers", "events"]
)
def test_schemathesis_has_nothing_to_report(node: ApiNode, tmp_path: Path, which: str, examples: int) -> None:
    command = [
        str(Path(sys.executable).with_name("st")),
        "run",
        f"{node.base}/openapi.json",
        f"--max-examples={examples}",
        f"{which}={EVENTS}",
        "--request-timeout=1",
        "--no-color",
    ]
    # It stores its findings in `.schemathesis` of its working directory.
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1200)
    assert run.returncode == 0, run.stdout + run.stderr


# --- a client written for Bitcoin Core


@pytest.fixture
def bitcoin(node: ApiNode) -> Iterator[Any]:
    cookie = (node.process.datadir / ".cookie").read_text()
    url = urlsplit(node.base)
    with closing(http.client.HTTPConnection(str(url.hostname), url.port, timeout=TIMEOUT_S)) as connection:
        yield AuthServiceProxy(f"http://{cookie}@{url.netloc}", connection=connection)


def test_a_client_of_bitcoin_core_finds_its_way(bitcoin: Any, node: ApiNode) -> None:
    height = bitcoin.getblockcount()
    hashes = bitcoin.generatetoaddress(2, address(dev_key(9)))
    assert bitcoin.getblockcount() == height + 2
    assert bitcoin.getblockhash(height + 2) == bitcoin.getbestblockhash() == hashes[-1]
    block = bitcoin.getblock(hashes[-1])
    assert (block["height"], block["previousblockhash"]) == (height + 2, hashes[0])
    info = bitcoin.getblockchaininfo()
    assert (info["chain"], info["blocks"]) == (SPEC.name, height + 2)
    assert isinstance(info["difficulty"], Decimal), "it reads numbers with a point as decimals"
    txid = bitcoin.sendrawtransaction(node.transfer(dev_key(0), dev_key(1), 9, 1000))
    assert bitcoin.getrawmempool() == [txid]
    assert bitcoin.getmempoolinfo()["total_fee"] == 1000
    assert bitcoin.getnetworkinfo()["networkactive"] is True
    assert bitcoin.help("getblock").startswith("getblock blockhash")


def test_it_meets_cores_errors(bitcoin: Any) -> None:
    for code, call in (
        (-5, lambda: bitcoin.getblock("00" * 32)),
        (-8, lambda: bitcoin.getblockhash(10**6)),
        (-22, lambda: bitcoin.sendrawtransaction("zz")),
        (-32601, bitcoin.nosuchmethod),
    ):
        with pytest.raises(JSONRPCException) as refused:
            call()
        assert refused.value.code == code
