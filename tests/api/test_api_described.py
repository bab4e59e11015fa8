"""Machine-readable descriptions: they cover everything, and the node's answers match them."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest

from pychain.wallet.keys import dev_key
from tests.api.node import ApiNode, address
from tests.api.web import get


@pytest.fixture(scope="module")
def openrpc(node: ApiNode) -> Any:
    return node.call("rpc.discover")


@pytest.fixture(scope="module")
def openapi(node: ApiNode) -> Any:
    return get(node.base, "/openapi.json").json


def validator(document: Any, schema: Any) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({**schema, "components": document["components"]})


def test_the_openrpc_document_has_every_method(node: ApiNode, openrpc: Any) -> None:
    assert openrpc["openrpc"] == "1.3.2"
    listed = re.findall(r"^([a-z]\S*)", node.call("help"), re.MULTILINE)
    assert [method["name"] for method in openrpc["methods"]] == listed
    assert get(node.base, "/openrpc.json").json == openrpc


def calls(node: ApiNode) -> dict[str, list[Any]]:
    """Arguments for a call of every method that reads."""
    (block_hash,) = node.generate(1)
    node.call("sendrawtransaction", node.transfer(dev_key(0), dev_key(1), 7, 100))
    (txid,) = node.call("getrawmempool")
    raw = node.call("getrawtransaction", txid)
    return {
        "getblockhash": [0],
        "getblockheader": [block_hash],
        "getblock": [block_hash, 2],
        "getblockstats": [block_hash],
        "verifychain": [4, 2],
        "waitfornewblock": [1],
        "waitforblock": [block_hash],
        "waitforblockheight": [1],
        "getrawtransaction": [txid, True],
        "testmempoolaccept": [[raw]],
        "decoderawtransaction": [raw],
        "getmempoolentry": [txid],
        "getrawmempool": [True],
        "getaccount": [address(dev_key(0))],
        "getblockheaders": [0],
        "getaccountpending": [address(dev_key(0))],
        "getaccounthistory": [address(dev_key(9))],
        "validateaddress": ["nobody"],
        "estimatesmartfee": [2],
        "generateblock": [address(dev_key(9)), [], False],
    }


CHANGING = {
    "sendrawtransaction",
    "setmining",
    "submitblock",
    "generatetoaddress",
    "invalidateblock",
    "reconsiderblock",
    "addnode",
    "disconnectnode",
    "setban",
    "setnetworkactive",
    "setmocktime",
    "stop",
    "dev_snapshot",
    "dev_revert",
}
"""Methods that other tests cover."""


def test_every_result_is_as_its_schema_says(node: ApiNode, openrpc: Any) -> None:
    arguments = calls(node)
    assert not CHANGING & set(arguments)
    for method in openrpc["methods"]:
        if method["name"] in CHANGING:
            continue
        given = arguments.get(method["name"], [])
        needed = sum(parameter["required"] for parameter in method["params"])
        assert len(given) >= needed, f"`calls` above lacks arguments for {method['name']}"
        result = node.call(method["name"], *given)
        validator(openrpc, method["result"]["schema"]).validate(result)
        for parameter, value in zip(method["params"], given, strict=False):
            validator(openrpc, parameter["schema"]).validate(value)


def test_a_schema_does_not_fit_what_is_wrong(node: ApiNode, openrpc: Any) -> None:
    (method,) = [each for each in openrpc["methods"] if each["name"] == "getblockchaininfo"]
    result = node.call("getblockchaininfo")
    schema = validator(openrpc, method["result"]["schema"])
    assert schema.is_valid(result)
    assert not schema.is_valid(result | {"blocks": "7"})
    assert not schema.is_valid({name: value for name, value in result.items() if name != "chainwork"})


def test_the_openapi_document_has_every_path(node: ApiNode, openapi: Any) -> None:
    assert openapi["openapi"] == "3.1.0"
    assert openapi["info"]["version"] == node.call("getnetworkinfo")["version"]
    operations = [operation["get"]["operationId"] for operation in openapi["paths"].values()]
    assert len(set(operations)) == len(operations)
    for path, operation in openapi["paths"].items():
        named = set(re.findall(r"\{(\w+)\}", path))
        parameters = operation["get"]["parameters"]
        assert {each["name"] for each in parameters if each["in"] == "path"} == named
        assert all(each["required"] for each in parameters if each["in"] == "path")


def test_every_example_has_an_answer(node: ApiNode, openapi: Any) -> None:
    asked = 0
    for path, operation in openapi["paths"].items():
        parameters = operation["get"]["parameters"]
        needed = [each for each in parameters if each.get("required")]
        if not needed:
            continue
        (parameter,) = needed
        target = path.replace(f"{{{parameter['name']}}}", parameter["example"])
        query = f"?{parameter['name']}={parameter['example']}" if parameter["in"] == "query" else ""
        assert get(node.base, target + query).status == 200
        asked += 1
    assert asked >= 6


def test_every_reference_leads_somewhere(openapi: Any, openrpc: Any) -> None:
    for document in (openapi, openrpc):
        references = set(re.findall(r"'\$ref': '([^']+)'", repr(document)))
        assert references == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(node: ApiNode, path: str) -> None:
    page = get(node.base, path)
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    text = page.body.decode()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:|//", text)
    loaded = re.findall(r'(?:href|src)="(/[^"]*)"', text)
    assert len(loaded) >= 4
    for target in loaded:
        assert get(node.base, target).status == 200


def test_files_are_asked_for_again_and_not_sent_again(node: ApiNode) -> None:
    script = get(node.base, "/docs/docs.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    again = get(node.base, "/docs/docs.js", if_none_match=script.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    for target in ("/docs/", "/docs/../docs/docs.js", "/docs/%2e%2e/site.py", "/docs/nothing.js", "/docs/docs.js/"):
        assert get(node.base, target).status == (200 if target == "/docs/" else 404)
