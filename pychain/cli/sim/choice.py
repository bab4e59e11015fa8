"""The choices on a command line: a scenario, values of its parameters, and plug-ins from users' files.

Wherever a registered name can be given, `FILE.py:NAME` can be given too; after loading, its own name is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pychain.base.errors import ConfigError
from pychain.base.registry import Origin, Plugin, Registry
from pychain.plugins import is_reference, joined, load_again, load_one, load_plugins
from pychain.sim.registries import REGISTRIES
from pychain.sim.scenario import Scenario
from pychain.sim.scenarios import SCENARIOS


class Choice(NamedTuple):
    """`grid`: the values of each parameter that was set."""

    scenario: Scenario[Any]
    grid: dict[str, list[str]]
    plugins: tuple[Plugin, ...]

    @property
    def given(self) -> dict[str, str]:
        """The parameters of a single run: their first values."""
        return {name: values[0] for name, values in self.grid.items()}


def choose(scenario: str, grid: Mapping[str, Sequence[str]], references: Sequence[str]) -> Choice:
    """The scenario and the parameters, with all plug-ins that they name. ConfigError if one is not found."""
    plugins = [*load_plugins(references, *REGISTRIES)]
    name = _name(scenario, SCENARIOS, plugins)
    chosen = SCENARIOS.named(name, plugins)
    registries = chosen.registries()
    named = {
        parameter: [_name(value, registries[parameter], plugins) for value in values]
        if parameter in registries
        else [*values]
        for parameter, values in grid.items()
    }
    return Choice(chosen, named, joined(plugins, *REGISTRIES))


def _name(word: str, registry: Registry[Any], plugins: list[Plugin]) -> str:
    """The registered name for a word; if it names something in a file, that is added to the plug-ins."""
    if not is_reference(word):
        return word
    plugin = load_one(word, registry)
    plugins.append(plugin)
    return plugin.name


def recorded(origins: Iterable[Origin], references: Sequence[str]) -> tuple[Plugin, ...]:
    """The plug-ins of a recorded run: as given now, else from its files. ConfigError if such a file has changed."""
    given = {
        (plugin.origin.kind, plugin.origin.name): plugin
        for plugin in load_plugins(references, *REGISTRIES)
        if plugin.origin is not None
    }
    plugins = []
    for origin in origins:
        try:
            plugins.append(given.get((origin.kind, origin.name)) or load_again(origin, *REGISTRIES))
        except ConfigError as error:
            raise ConfigError(f"{error}; give {origin.kind} '{origin.name}' with --plugin FILE.py") from None
    return joined(plugins, *REGISTRIES)
