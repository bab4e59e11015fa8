"""`pychain rpc-auth`: API users in addition to the cookie."""

from __future__ import annotations

import secrets

import click

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import print_json
from pychain.cli.secret import first_line
from pychain.http.guard import credential

PASSWORD_BYTES = 24
"""192 random bits: nobody guesses it, however fast the API answers."""


@click.command("rpc-auth")
@click.argument("name", metavar="NAME")
@click.option(
    "--password-file",
    type=click.Path(),
    metavar="FILE",
    help="Read the password from FILE ('-': standard input) instead of generating one.",
)
@common_options
@pass_context
def command(context: Context, name: str, password_file: str | None) -> None:
    """Print the setting that lets NAME call the node's API, and a new password for it.

    \b
        pychain rpc-auth alice
    The setting holds a salted hash instead of the password, like Bitcoin Core's rpcauth, so others may read it. Put it
    in pychain.toml as one of api_users, or in PYCHAIN_API_USERS, and restart the node.
    """
    if ":" in name or not name:
        raise click.UsageError("a user name must not be empty or contain a colon")
    chosen = None if password_file is None else first_line(password_file, "password")
    password = chosen or secrets.token_urlsafe(PASSWORD_BYTES)
    user = f"{name}:{credential(password)}"
    if context.json:
        print_json({"api_users": user} | ({} if chosen else {"password": password}))
        return
    click.echo(f"api_users = [{user!r}]")
    if not chosen:
        click.echo(f"# password of {name}, which is not stored anywhere: {password}")
