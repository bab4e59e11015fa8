"""`pychain completion`: shell completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pychain.cli.context import common_options


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: pychain completion bash > ~/.local/share/bash-completion/completions/pychain
    zsh:  pychain completion zsh > "${fpath[1]}/_pychain"
    fish: pychain completion fish > ~/.config/fish/completions/pychain.fish
    """
    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(ctx.find_root().command, {}, "pychain", "_PYCHAIN_COMPLETE").source())
