"""The documentation of the API is correct: the page, the promised names, and the examples."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pychain.api.describe import method_text, page
from pychain.api.method import Method, table
from pychain.api.methods.control import GROUPS

METHODS = table(GROUPS, dev=True)
PROMISED = [
    "getblockchaininfo",
    "getbestblockhash",
    "getblockcount",
    "getblockhash",
    "getblockheader",
    "getblock",
    "getchaintips",
    "getrawtransaction",
    "sendrawtransaction",
    "decoderawtransaction",
    "testmempoolaccept",
    "getmempoolinfo",
    "getrawmempool",
    "getmininginfo",
    "getblocktemplate",
    "submitblock",
    "generatetoaddress",
    "generateblock",
    "invalidateblock",
    "reconsiderblock",
    "getpeerinfo",
    "getnetworkinfo",
    "addnode",
    "disconnectnode",
    "setban",
    "listbanned",
    "setmocktime",
    "waitfornewblock",
    "waitforblockheight",
    "getblockstats",
    "verifychain",
    "stop",
    "uptime",
    "help",
    "getchainspec",
    "getaccount",
    "getaccounthistory",
    "rpc.discover",
    "dev_snapshot",
    "dev_revert",
    "dev_automine",
]
"""Names that programs depend on."""


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_method_is_there(name: str) -> None:
    assert name in METHODS


def test_the_page_is_written_from_the_definitions() -> None:
    path = Path(__file__).parent.parent.parent / "docs" / "api.md"
    assert path.read_text("utf-8") == page(GROUPS), "rewrite it: python -m pychain.api > docs/api.md"


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_method_is_described_whole(method: Method) -> None:
    assert method.summary.endswith(".")
    text = method_text(method)
    assert all(parameter.name in text for parameter in method.parameters)
    required = sum(parameter.required for parameter in method.parameters)
    assert required <= len(method.example) <= len(method.parameters)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_methods_example_is_one_that_it_takes(method: Method) -> None:
    example = [*method.example]
    assert method.bind(msgspec.json.decode(msgspec.json.encode(example))) is not None


def test_results_have_schemas_for_a_machine_readable_description() -> None:
    schemas, _ = msgspec.json.schema_components([method.result for method in METHODS.values()])
    assert len(list(schemas)) == len(METHODS)
