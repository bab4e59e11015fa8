"""From references to plug-ins: find what a reference names in a file, and check that it is of the right kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pychain.base.errors import ConfigError
from pychain.base.registry import Origin, Plugin, Registry, name_of
from pychain.plugins.files import UserFile, read_file

_ENDING = ".py"


def is_reference(text: str) -> bool:
    """Whether a text is a file, with or without a name in it, and not a registered name."""
    return text.endswith(_ENDING) or text.rpartition(":")[0].endswith(_ENDING)


def load_plugins(references: Iterable[str], *registries: Registry[Any]) -> tuple[Plugin, ...]:
    """The plug-ins for these registries that references name: one for each `FILE.py:NAME`, and everything that the file
    defines for each `FILE.py`. ConfigError if there is none, or two have the same name."""
    return joined([plugin for each in references for plugin in _plugins(each, registries)], *registries)


def joined(plugins: Iterable[Plugin], *registries: Registry[Any]) -> tuple[Plugin, ...]:
    """Plug-ins that can be used together, each once. ConfigError if two have the same name."""
    once = tuple({plugin.origin or id(plugin.value): plugin for plugin in plugins}.values())
    if once:  # without any there is no need to search installed packages
        for registry in registries:
            registry.names(once)
    return once


def load_one(reference: str, registry: Registry[Any]) -> Plugin:
    """The single plug-in that a reference names."""
    first, *more = plugins = _plugins(reference, (registry,))
    if more:
        names = ", ".join([plugin.origin.attribute for plugin in plugins if plugin.origin is not None])
        raise ConfigError(f"{reference} has more than one {registry.kind}: choose by {reference}:NAME among {names}")
    return first


def load_again(origin: Origin, *registries: Registry[Any]) -> Plugin:
    """A plug-in loaded again from its file. ConfigError if the file is gone or has changed."""
    (plugin,) = load_plugins([str(origin)], *registries)
    if plugin.origin != origin:
        raise ConfigError(f"{origin.file} has changed since {origin} was loaded from it")
    return plugin


def _plugins(reference: str, registries: Iterable[Registry[Any]]) -> list[Plugin]:
    path, name = (reference, "") if reference.endswith(_ENDING) else reference.rsplit(":", 1)
    file = read_file(path)
    kinds = " or ".join([registry.kind for registry in registries])
    if name and not hasattr(file.module, name):
        raise ConfigError(f"{path}:{file.end}: '{name}' is not defined; {_defined(file)}")
    named = {each: getattr(file.module, each, None) for each in ([name] if name else file.lines)}
    values = {id(value): each for each, value in reversed(named.items())}  # the first of two names for one object
    plugins = []
    for each in reversed(values.values()):
        plugins += [_plugin(file, each, registry) for registry in registries if registry.holds(named[each])]
    if not plugins and name:
        raise ConfigError(f"{path}:{file.lines.get(name, file.end)}: '{name}' is not a {kinds}")
    if not plugins:
        raise ConfigError(f"{path}:{file.end}: the file defines no {kinds}")
    return plugins


def _plugin(file: UserFile, attribute: str, registry: Registry[Any]) -> Plugin:
    """The plug-in that the file has under a name; checked that it can be made and has a name that can be registered."""
    value = getattr(file.module, attribute)
    try:
        name = name_of(registry.made(value))
    except Exception as error:
        raise file.failure(attribute, error) from None
    origin = Origin(kind=registry.kind, name=name, file=file.path, attribute=attribute, digest=file.digest)
    return Plugin(value, origin)


def _defined(file: UserFile) -> str:
    return f"the file defines {', '.join(file.lines)}" if file.lines else "the file defines nothing"
