"""The OpenAPI 3.1 document, built from the endpoints' definitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pychain import __version__
from pychain.api.endpoint import ROOT, Endpoint, ProblemView, Resources
from pychain.api.events.stream import RESET
from pychain.api.events.views import KINDS, VIEWS, ResetEvent
from pychain.api.method import Parameter
from pychain.api.schemas import parameter_schema, schemas_of
from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import ChainSpec

_PROBLEMS = {
    "400": "A parameter is out of range, malformed or unknown.",
    "401": "Reads need a password (`api_open_reads = false`), and it is missing or wrong.",
    "403": "The request's Host is not allowed.",
    "404": "The requested thing does not exist.",
    "429": "Too many requests.",
    "503": "The node is stopping, too busy, or its disk fails.",
}
"""Answers of any endpoint besides its result; 401, 403 and 429 are a line of text."""
_TEXT_PROBLEMS = ("401", "403", "429")


def examples(spec: ChainSpec) -> dict[str, str]:
    """Example parameters by name that work on any node of a network: those of genesis."""
    genesis = spec.genesis.transactions[0]
    key = spec.allocations[0][0] if spec.allocations else genesis.recipient
    return {"block": "tip", "txid": hash_hex(genesis.txid), "address": encode_address(spec.hrp, key), "q": "0"}


def document(resources: Iterable[Resources], given: Mapping[str, str]) -> dict[str, Any]:
    """The description of the endpoints; `given` has example values by parameter name."""
    sections = tuple(resources)
    endpoints = [(section, endpoint) for section in sections for endpoint in section.endpoints]
    types = [endpoint.method.result for _, endpoint in endpoints]
    parameters = [each.type for _, endpoint in endpoints for each in endpoint.method.parameters]
    (*described, problem), components = schemas_of([*types, *parameters, *VIEWS, ResetEvent, ProblemView])
    results, by_parameter, events = described[: len(types)], iter(described[len(types) :]), described[-len(VIEWS) - 1 :]
    paths: dict[str, dict[str, Any]] = {
        ROOT + endpoint.path: {
            "get": {
                "operationId": endpoint.method.function.__name__,
                "tags": [section.title],
                "summary": endpoint.method.summary,
                **({"description": endpoint.method.description} if endpoint.method.description else {}),
                "parameters": [
                    _parameter(endpoint, each, next(by_parameter), given) for each in endpoint.method.parameters
                ],
                "responses": {"200": _answer(endpoint.method.summary, schema), **_problems(problem)},
            }
        }
        for (section, endpoint), schema in zip(endpoints, results, strict=True)
    }
    paths[f"{ROOT}/events"] = {"get": _events({"oneOf": events}, problem)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pychain node",
            "version": __version__,
            "description": "Read-only resources of a pychain node. Amounts are integers in base units, 100,000,000 "
            "per coin; hashes are in display order; times are Unix seconds. Calls that change anything are "
            "in JSON-RPC, at /rpc.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"password": []}],
        "tags": [{"name": section.title} for section in sections] + [{"name": "Events"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"password": {"type": "http", "scheme": "basic"}},
        },
    }


def _parameter(
    endpoint: Endpoint, parameter: Parameter, schema: dict[str, Any], given: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "path" if parameter.name == endpoint.in_path else "query",
        "required": parameter.required,
        "schema": parameter_schema(parameter, schema),
        **({"example": given[parameter.name]} if parameter.name in given else {}),
    }


def _answer(description: str, schema: dict[str, Any], content_type: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {content_type: {"schema": schema}}}


def _problems(problem: dict[str, Any]) -> dict[str, Any]:
    return {
        status: _answer(text, {"type": "string"}, "text/plain") if status in _TEXT_PROBLEMS else _answer(text, problem)
        for status, text in _PROBLEMS.items()
    }


def _events(event: dict[str, Any], problem: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": "events",
        "tags": ["Events"],
        "summary": "The node's events, as server-sent events.",
        "description": "Each event has an `id`, its kind in `event`, and one JSON document in `data`. A listener that "
        "reconnects with the id of its last event gets those since then; if they are no longer kept, an event "
        "`reset` comes first, and the state must be read again. Comments keep the connection alive.",
        "parameters": [
            {
                "name": "types",
                "in": "query",
                "description": "Kinds, separated by commas; default: all.",
                "style": "form",
                "explode": False,
                "schema": {"type": "array", "items": {"enum": list(KINDS)}, "minItems": 1},
            },
            {
                "name": "last_event_id",
                "in": "query",
                "description": "Like the header Last-Event-ID, which has precedence.",
                "schema": {"type": "string"},
            },
        ],
        "responses": {
            "200": _answer("A stream of events that does not end.", _sent(event), "text/event-stream"),
            **_problems(problem),
        },
    }


def _sent(event: dict[str, Any]) -> dict[str, Any]:
    """An event with its fields, as OpenAPI 3.2 describes those of a stream."""
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "event": {"enum": [*KINDS, RESET]},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": event},
        },
        "required": ["event", "data"],
    }
