"""From references to plug-ins: which things of a file are meant, and that they are of the kind that is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pychain.base.errors import ConfigError
from pychain.base.registry import Origin, Plugin, Registry, name_of
from pychain.plugins.files import UserFile, read_file

_ENDING = ".py"


def is_reference(text: str) -> bool:
    """Whether a text names a file, with or without a name in it, and no registered name."""
    return text.endswith(_ENDING) or text.rpartition(":")[0].endswith(_ENDING)


def load_plugins(references: Iterable[str], *registries: Registry[Any]) -> tuple[Plugin, ...]:
    """The things of these registries' kinds that references name: one for each `FILE.py:NAME`, for each `FILE.py`
    everything that the file defines. ConfigError where there is nothing, or where two things have one name."""
    return joined([plugin for each in references for plugin in _plugins(each, registries)], *registries)


def joined(plugins: Iterable[Plugin], *registries: Registry[Any]) -> tuple[Plugin, ...]:
    """Plug-ins that can be used together, each once. ConfigError where two things have one name."""
    once = tuple({plugin.origin or id(plugin.value): plugin for plugin in plugins}.values())
    if once:  # without any there is nothing to look through installed packages for
        for registry in registries:
            registry.names(once)
    return once


def load_one(reference: str, registry: Registry[Any]) -> Plugin:
    """The one thing of a kind that a reference names."""
    first, *more = plugins = _plugins(reference, (registry,))
    if more:
        names = ", ".join([plugin.origin.attribute for plugin in plugins if plugin.origin is not None])
        raise ConfigError(f"{reference} has more than one {registry.kind}: choose by {reference}:NAME among {names}")
    return first


def load_again(origin: Origin, *registries: Registry[Any]) -> Plugin:
    """A plug-in from where it came from. ConfigError where the file has gone or changed."""
    (plugin,) = load_plugins([str(origin)], *registries)
    if plugin.origin != origin:
        raise ConfigError(f"{origin.file} has changed: it is not what {origin} was loaded from")
    return plugin


def _plugins(reference: str, registries: Iterable[Registry[Any]]) -> list[Plugin]:
    path, name = (reference, "") if reference.endswith(_ENDING) else reference.rsplit(":", 1)
    file = read_file(path)
    kinds = " or ".join([registry.kind for registry in registries])
    if name and not hasattr(file.module, name):
        raise ConfigError(f"{path}:{file.end}: '{name}' is not defined by the end of the file; {_defined(file)}")
    named = {each: getattr(file.module, each, None) for each in ([name] if name else file.lines)}
    values = {id(value): each for each, value in reversed(named.items())}  # of two names for one thing the first
    plugins = []
    for each in reversed(values.values()):
        plugins += [_plugin(file, each, registry) for registry in registries if registry.holds(named[each])]
    if not plugins and name:
        raise ConfigError(f"{path}:{file.lines.get(name, file.end)}: '{name}' is no {kinds}")
    if not plugins:
        raise ConfigError(f"{path}:{file.end}: the file ends without a {kinds}")
    return plugins


def _plugin(file: UserFile, attribute: str, registry: Registry[Any]) -> Plugin:
    """The thing that the file has under a name, tried: it can be made, and declares a name that can be registered."""
    value = getattr(file.module, attribute)
    try:
        name = name_of(registry.made(value))
    except Exception as error:
        raise file.failure(attribute, error) from None
    origin = Origin(kind=registry.kind, name=name, file=file.path, attribute=attribute, digest=file.digest)
    return Plugin(value, origin)


def _defined(file: UserFile) -> str:
    return f"there are {', '.join(file.lines)}" if file.lines else "nothing is"
