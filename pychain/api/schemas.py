"""JSON Schemas of typed definitions, for both machine-readable descriptions (OpenAPI, OpenRPC)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pychain.api.method import Parameter

Schema = dict[str, Any]


def schemas_of(types: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each type, and the components that they refer to."""
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return list(schemas), components


def parameter_schema(parameter: Parameter, schema: Schema) -> Schema:
    """The schema of a given parameter: an optional one has its default, and does not allow null, which means "not
    given"."""
    described = dict(schema)
    if not parameter.required and parameter.default is not None:
        described["default"] = parameter.default
    if parameter.required or "anyOf" not in described:
        return described
    given = [option for option in described.pop("anyOf") if option.get("type") != "null"]
    return {**described, "anyOf": given} if len(given) > 1 else {**described, **given[0]}
