"""Options of every command (network, data directory, configuration, --json), and how it reaches a node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pychain.chain.spec import ChainSpec
    from pychain.client import Client
    from pychain.daemon.settings import Settings
    from pychain.keystore import Keystore

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Context:
    """The common options of a command line, wherever they stood on it, and what follows from them."""

    options: dict[str, Any] = field(default_factory=dict)

    @property
    def plugins(self) -> list[str]:
        """The user's files with rules, scenarios and the like."""
        plugins: list[str] = self.options.get("plugins", [])
        return plugins

    @property
    def json(self) -> bool:
        """Print for programs."""
        return bool(self.options.get("json"))

    def load_settings(self, flags: dict[str, Any] | None = None) -> Settings:
        """The node's settings under these options and further flags. ConfigError if something is wrong."""
        from pychain.daemon.settings import load_settings

        config = self.options.get("config")
        common = {name: self.options.get(name) for name in ("network", "datadir", "plugins")}
        return load_settings({**common, **(flags or {})}, config=Path(config) if config else None)

    @cached_property
    def settings(self) -> Settings:
        return self.load_settings()

    @property
    def spec(self) -> ChainSpec:
        return self.settings.spec

    @property
    def datadir(self) -> Path:
        return self.settings.datadir

    @property
    def keystore(self) -> Keystore:
        """The wallets of the data directory."""
        from pychain.keystore import Keystore

        return Keystore(self.datadir / "wallets")

    def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """Query the node of the data directory. UnreachableError if none runs."""
        from pychain.client import Client, endpoint_of

        async def put() -> T:
            async with Client(endpoint_of(self.datadir)) as node:
                return await question(node)

        return asyncio.run(put())


pass_context = click.make_pass_decorator(Context, ensure=True)


def common_options(command: Command) -> Command:
    """Add the common options to a command."""
    for option in reversed(_COMMON):
        command = option(command)
    return command


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep an option for the whole line; if it is given twice, the last one counts, or all if it may be repeated."""
    options = ctx.find_root().ensure_object(Context).options
    assert parameter.name is not None
    if value not in (None, ()):
        options[parameter.name] = [*options.get(parameter.name, ()), *value] if parameter.multiple else value


def _common(*names: str, **settings: Any) -> Callable[[Command], Command]:
    return click.option(*names, expose_value=False, callback=_remember, **settings)


_COMMON = (
    _common("--network", metavar="NAME|FILE", help="Network: main, test, race, dev, or a chain spec's path."),
    _common("--datadir", metavar="DIR", help="Data directory (default: one per network in the user's data)."),
    _common("--config", metavar="FILE", help="Configuration (default: pychain.toml in the data directory)."),
    _common("--plugin", "plugins", multiple=True, metavar="FILE.py[:NAME]", help="Load rules of your own; repeatable."),
    _common("--json", is_flag=True, default=None, help="Print JSON, for programs."),
)
