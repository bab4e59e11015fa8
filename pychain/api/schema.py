"""Types as text: the JSON form of a parameter or a result, and its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import NODEFAULT, inspect

Info = inspect.Type
_SIMPLE: dict[type[Info], str] = {
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.StrType: "string",
    inspect.BoolType: "boolean",
    inspect.NoneType: "null",
    inspect.AnyType: "anything",
}


class Row(NamedTuple):
    """One value: its path in the result (`tx[].txid`; empty for the whole), its type, its meaning."""

    path: str
    type: str
    meaning: str


def type_text(annotation: Any) -> str:
    """A type in a few words: `integer`, `list of string`, `object or string`."""
    return _text(inspect.type_info(annotation))


def meaning(annotation: Any) -> str:
    """The description in a type, and its bounds."""
    return _meaning(inspect.type_info(annotation))


def rows(annotation: Any) -> Iterator[Row]:
    """The values of a result, objects field by field."""
    info = inspect.type_info(annotation)
    yield Row("", _text(info), _meaning(info))
    yield from dict.fromkeys(_fields(info, ""))  # fields that two kinds of object share are listed once


def _fields(info: Info, path: str) -> Iterator[Row]:
    info = _plain(info)
    if isinstance(info, inspect.UnionType):
        for option in info.types:
            yield from _fields(option, path)
    elif isinstance(info, inspect.ListType):
        yield from _fields(info.item_type, f"{path}[]")
    elif isinstance(info, inspect.DictType):
        yield from _fields(info.value_type, f"{path}{{}}")
    elif isinstance(info, inspect.StructType):
        dot = f"{path}." if path else ""
        if info.tag_field is not None:
            yield Row(f"{dot}{info.tag_field}", "string", f'"{info.tag}": {_doc(info)}')
        for field in info.fields:
            optional = "" if field.required or field.default is not NODEFAULT else ", or missing"
            yield Row(f"{dot}{field.encode_name}", _text(field.type) + optional, _meaning(field.type))
            yield from _fields(field.type, f"{dot}{field.encode_name}")


def _text(info: Info) -> str:
    info = _plain(info)
    match info:
        case inspect.UnionType():
            return " or ".join(dict.fromkeys(_text(option) for option in info.types))
        case inspect.ListType():
            return f"list of {_text(info.item_type)}"
        case inspect.DictType():
            return f"object of {_text(info.value_type)} by {_text(info.key_type)}"
        case inspect.StructType():
            return "object"
        case inspect.LiteralType():
            return " or ".join(f'"{value}"' for value in info.values)
        case _:
            return _SIMPLE[type(info)]


def _meaning(info: Info) -> str:
    parts = []
    if isinstance(info, inspect.Metadata):
        parts.append(str((info.extra_json_schema or {}).get("description", "")))
        info = info.type
    if isinstance(info, inspect.UnionType):
        parts += dict.fromkeys(_meaning(option) for option in info.types)
    if isinstance(info, inspect.StructType):
        parts.append(_doc(info))
    if isinstance(info, inspect.IntType) and (info.ge, info.le) not in ((None, None), (0, None), (0, 2**63 - 1)):
        least = "" if info.ge is None else info.ge
        parts.append(f"at least {least}" if info.le is None else f"{least} to {info.le}")
    return "; ".join(part for part in parts if part)


def _doc(info: inspect.StructType) -> str:
    return " ".join((info.cls.__doc__ or "").split())


def _plain(info: Info) -> Info:
    return info.type if isinstance(info, inspect.Metadata) else info
