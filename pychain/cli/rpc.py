"""`pychain rpc`: any call of the node's API."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import print_json
from pychain.client import Client

MAX_NUMBER_CHARACTERS = 20
"""A longer string of digits is a hash or a transaction in hex, not a number."""


@click.command("rpc", context_settings={"ignore_unknown_options": True})
@click.argument("method", metavar="METHOD")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--named", is_flag=True, help="The arguments are NAME=VALUE.")
@click.option("--stdin", is_flag=True, help="Read more arguments from standard input, one per line.")
@common_options
@pass_context
def command(context: Context, method: str, arguments: tuple[str, ...], named: bool, stdin: bool) -> None:
    """Call METHOD of the node's API and print the result.

    \b
        pychain rpc help
        pychain rpc getblockhash 1000
        pychain rpc --named getblock blockhash=00c5... verbosity=2
    Arguments that are JSON (numbers, true, null, lists, objects) are sent as JSON, all others as text.
    """
    words = [*arguments, *(sys.stdin.read().splitlines() if stdin else [])]

    async def call(node: Client) -> Any:
        if named:
            return await node.call_named(method, dict(_pair(word) for word in words), timeout_s=None)
        return await node.call(method, *map(_value, words), timeout_s=None)

    result = context.ask(call)
    if isinstance(result, str) and not context.json:
        click.echo(result)
    elif result is not None or context.json:
        print_json(result)


def _pair(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals:
        raise click.UsageError(f"'{word}' is not NAME=VALUE")
    return name, _value(value)


def _value(word: str) -> Any:
    """The value of an argument: JSON if it is valid JSON, otherwise the text itself."""
    if word.isalnum() and len(word) > MAX_NUMBER_CHARACTERS:
        return word
    try:
        return msgspec.json.decode(word)
    except (msgspec.DecodeError, RecursionError):
        return word
