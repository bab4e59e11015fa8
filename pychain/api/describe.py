"""Descriptions of the methods, built from their definitions: for `help` in a terminal, and as the page docs/api.md.

Rewrite the page after a change with `python -m pychain.api > docs/api.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pychain.api.errors import Code
from pychain.api.method import Group, Method, Parameter
from pychain.api.schema import Row, meaning, rows, type_text

_INTRODUCTION = """# The node's API

<!-- Written by `python -m pychain.api > docs/api.md` from the methods' definitions; a test checks it. -->

A node serves JSON-RPC over HTTP on one port, on loopback unless `api_host` says otherwise. `ready.json` in its data
directory has the port, `.cookie` a user and password for local programs:

    curl --user "$(cat DATADIR/.cookie)" --header 'content-type: application/json' \\
        --data '{"jsonrpc": "2.0", "id": 1, "method": "getblockcount"}' http://127.0.0.1:33701/rpc

`pychain rpc METHOD [ARGS]` does the same and finds the port and the cookie itself.

- `POST /rpc` (or `/`, which Bitcoin's clients use). [http.md](http.md) describes access, and what else is on the
  port.
- Requests with `"jsonrpc": "2.0"` follow that specification, including batches and notifications. Any other request is
  served as Bitcoin Core serves its 1.x clients: the answer has both `result` and `error`, and the HTTP status is 500
  for an error (404 for an unknown method, 400 for an invalid request).
- Parameters are given by position or by name. Amounts are integers in base units, 100,000,000 per coin. Hashes are
  in display order, as block explorers write them. Times are Unix seconds.
- A batch has at most 1,000 calls; they are executed one after the other."""


def overview_text(groups: Iterable[Group], methods: Mapping[str, Method]) -> str:
    """All methods by group, one line each."""
    blocks = []
    for group in groups:
        lines = [method.signature for method in group.methods if method.name in methods]
        if lines:
            blocks.append("\n".join([f"== {group.title} ==", *lines]))
    return "\n\n".join(blocks)


def method_text(method: Method) -> str:
    """One method, as text for a terminal."""
    parts = [method.signature, _joined(method)]
    if method.parameters:
        parts.append("\n".join(["Parameters", *(f"  {_parameter(each)}" for each in method.parameters)]))
    parts.append("\n".join(["Result", *(f"  {_result(row)}" for row in rows(method.result))]))
    if method.errors:
        parts.append("\n".join(["Errors", *(f"  {code.value}  {when}" for code, when in method.errors.items())]))
    parts.append(f"Example\n  {_command(method)}")
    return "\n\n".join(parts)


def page(groups: Iterable[Group]) -> str:
    """The whole of docs/api.md."""
    parts = [_INTRODUCTION, _codes()]
    for group in groups:
        parts.append(f"## {group.title}")
        parts += [method_markdown(method) for method in group.methods]
    return "\n\n".join(parts) + "\n"


def method_markdown(method: Method) -> str:
    """One method as a section of the page."""
    parts = [f"### {method.name}", f"`{method.signature}`", _joined(method)]
    if method.parameters:
        table = ["| parameter | type | default | |", "|---|---|---|---|"]
        for each in method.parameters:
            default = "" if each.required else f"`{_json(each.default)}`"
            table.append(f"| `{each.name}` | {type_text(each.type)} | {default} | {_cell(meaning(each.type))} |")
        parts.append("\n".join(table))
    whole, *fields = rows(method.result)
    parts.append(f"Result: {whole.type}" + (f" ({whole.meaning})" if whole.meaning and not fields else ""))
    if fields:
        table = ["| field | type | |", "|---|---|---|"]
        table += [f"| `{row.path}` | {row.type} | {_cell(row.meaning)} |" for row in fields]
        parts.append("\n".join(table))
    if method.errors:
        parts.append("Errors: " + "; ".join(f"`{code.value}` {when}" for code, when in method.errors.items()))
    parts.append(f"    {_command(method)}")
    return "\n\n".join(parts)


def _codes() -> str:
    """The table of error codes."""
    meanings = {
        Code.PARSE_ERROR: "the body is not JSON",
        Code.INVALID_REQUEST: "JSON, but not a request",
        Code.METHOD_NOT_FOUND: "the method is unknown",
        Code.INVALID_PARAMS: "parameters are missing, or too many",
        Code.INTERNAL_ERROR: "a bug; the node's log has the traceback",
        Code.TYPE_ERROR: "a parameter has the wrong JSON type",
        Code.INVALID_PARAMETER: "a parameter is out of range, or has an unknown name",
        Code.MISC_ERROR: "anything else, such as a node that is stopping or a failing disk",
    }
    rows_ = [f"| {code.value} | {text} |" for code, text in meanings.items()]
    return "\n".join(["Errors that any call may return:", "", "| code | |", "|---|---|", *rows_])


def _joined(method: Method) -> str:
    return f"{method.summary}\n\n{method.description}" if method.description else method.summary


def _parameter(parameter: Parameter) -> str:
    needed = "required" if parameter.required else f"default {_json(parameter.default)}"
    words = [f"{parameter.name}: {type_text(parameter.type)}, {needed}", meaning(parameter.type)]
    return "; ".join(word for word in words if word)


def _result(row: Row) -> str:
    where = f"{row.path}: " if row.path else ""
    return where + row.type + (f"; {row.meaning}" if row.meaning else "")


def _command(method: Method) -> str:
    words = (each if isinstance(each, str) else f"'{_json(each)}'" for each in method.example)
    return " ".join(["pychain rpc", method.name, *words])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
