"""The OpenRPC document, built from the methods' definitions; `rpc.discover` returns it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pychain import __version__
from pychain.api.method import Method, Parameter
from pychain.api.schemas import Schema, parameter_schema, schemas_of

OPENRPC_VERSION = "1.3.2"


def document(methods: Mapping[str, Method]) -> dict[str, Any]:
    """The description of a table of methods."""
    listed = list(methods.values())
    types = [method.result for method in listed]
    types += [parameter.type for method in listed for parameter in method.parameters]
    schemas, components = schemas_of(types)
    results, parameters = schemas[: len(listed)], iter(schemas[len(listed) :])
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "pychain node",
            "version": __version__,
            "description": "JSON-RPC of a pychain node. Amounts are integers in base units, 100,000,000 per coin; "
            "hashes are in display order; times are Unix seconds.",
            "license": {"name": "MIT"},
        },
        "servers": [{"name": "this node", "url": "/rpc"}],
        "methods": [_method(method, result, parameters) for method, result in zip(listed, results, strict=True)],
        "components": {"schemas": components},
    }


def _method(method: Method, result: Schema, parameters: Iterator[Schema]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": method.name,
        "tags": [{"name": method.group}],
        "summary": method.summary,
        "paramStructure": "either",
        "params": [_parameter(parameter, next(parameters)) for parameter in method.parameters],
        "result": {"name": "result", "schema": result},
        "errors": [{"code": code.value, "message": when} for code, when in method.errors.items()],
    }
    if method.description:
        described["description"] = method.description
    return described


def _parameter(parameter: Parameter, schema: Schema) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "required": parameter.required,
        "schema": parameter_schema(parameter, schema),
    }
