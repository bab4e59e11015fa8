"""Registries: what a network or a run chooses by name, such as a retarget rule or a scenario.

A registry holds what is built in. Installed packages add to it by entry points of its group, files and programs by
`Plugin`s, which are passed to whoever looks something up: no table is shared by accident between nodes of one process.
A name stands for one thing alone, since genesis and records of runs commit to names.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

from pychain.base.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

MAX_NAME = 64
NAME_PATTERN = r"^[a-z0-9._-]+\Z"
"""The names that rules, scenarios and participants may have: chain specs and command lines name them."""

T = TypeVar("T")


class Origin(Struct, frozen=True, kw_only=True):
    """The kind and name of a plug-in from a file, its place in the file, and the SHA-256 of the file's source."""

    kind: str
    name: str
    file: str
    attribute: str
    digest: str

    def __str__(self) -> str:
        return f"{self.file}:{self.attribute}"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A rule, scenario or participant that is not built in. Which registry it belongs to follows from what it is."""

    value: object
    origin: Origin | None = None
    """None of one that a program made."""

    @property
    def name(self) -> str:
        """The name that it declares. ConfigError where that is none."""
        return name_of(self.value)


def name_of(value: object) -> str:
    """The `name` of a plug-in's value. ConfigError where it has none that a chain spec can hold."""
    name = getattr(value, "name", None)
    if not isinstance(name, str) or len(name) > MAX_NAME or re.match(NAME_PATTERN, name) is None:
        raise ConfigError(f"{_known(value).__qualname__}: `name` must be 1 to {MAX_NAME} of a-z, 0-9, '.', '_' and '-'")
    return name


class Registry(Generic[T]):
    """Everything of one kind, by name: objects of a class, or with `of_classes` the classes derived from it."""

    def __init__(self, kind: str, group: str, base: type, built_in: Iterable[T], *, of_classes: bool = False) -> None:
        """`kind` is its name in messages, `group` that of its entry points."""
        self.kind = kind
        self.group = group
        self.built_in: Mapping[str, T] = {name_of(each): each for each in built_in}
        self._base = base
        self._of_classes = of_classes

    def named(self, name: str, plugins: Iterable[Plugin] = ()) -> T:
        """The one thing of this name. ConfigError where there is none, or where a name stands for two things."""
        given = tuple(plugins)
        if not given and name in self.built_in:
            return self.built_in[name]  # seldom anything else, and entry points take long to find
        table = self._table(given)
        if name not in table:
            raise ConfigError(
                f"{self.kind} '{name}' is unknown; there are {', '.join(table)}; --plugin FILE.py loads your own"
            )
        return table[name]()

    def names(self, plugins: Iterable[Plugin] = ()) -> list[str]:
        """All names: built in, then given, then of installed packages. ConfigError where one stands for two things."""
        return list(self._table(tuple(plugins)))

    def all(self, plugins: Iterable[Plugin] = ()) -> dict[str, T]:
        """Everything there is, in the order of `names`."""
        return {name: find() for name, find in self._table(tuple(plugins)).items()}

    def holds(self, value: object) -> bool:
        """Whether a value is of this kind: an object of its class, or a class that objects can be made of."""
        if inspect.isclass(value):
            return issubclass(value, self._base) and value is not self._base and not inspect.isabstract(value)
        return isinstance(value, self._base) and not self._of_classes

    def made(self, value: Any) -> T:
        """The thing that is registered for a value of this kind: where that is an object, one is made of a class."""
        as_it_is = self._of_classes or not inspect.isclass(value)
        made: T = value if as_it_is else value()
        return made

    def _table(self, plugins: tuple[Plugin, ...]) -> dict[str, Callable[[], T]]:
        table: dict[str, Callable[[], T]] = {name: partial(_same, each) for name, each in self.built_in.items()}
        for name, plugin in self._given(plugins).items():
            if name in table:
                raise ConfigError(f"{self.kind} '{name}' of {_place(plugin)} has a built-in one's name: rename it")
            table[name] = partial(self.made, plugin.value)
        for name, point in self._installed().items():
            if name in table:
                raise ConfigError(f"there are two of {self.kind} '{name}', one in the installed package {point.module}")
            table[name] = partial(self._load, point)
        return table

    def _given(self, plugins: tuple[Plugin, ...]) -> dict[str, Plugin]:
        given: dict[str, Plugin] = {}
        for plugin in plugins:
            if self.holds(plugin.value):
                other = given.setdefault(plugin.name, plugin)
                if other.value is not plugin.value:
                    places = f"{_place(other)} and {_place(plugin)}"
                    raise ConfigError(f"there are two of {self.kind} '{plugin.name}': {places}")
        return given

    def _installed(self) -> dict[str, EntryPoint]:
        from importlib.metadata import entry_points

        points: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group):
            other = points.setdefault(point.name, point)
            if other.value != point.value:
                raise ConfigError(f"two packages install {self.kind} '{point.name}': {other.value} and {point.value}")
        return points

    def _load(self, point: EntryPoint) -> T:
        what = f"{self.kind} '{point.name}' ({point.value})"
        try:
            value = point.load()
            made = self.made(value) if self.holds(value) else None
        except Exception as error:
            raise ConfigError(f"{what} cannot be loaded: {type(error).__name__}: {error}") from None
        if made is None or name_of(made) != point.name:
            raise ConfigError(f"{what}: {_called(value)} is no {self.kind} of that name")
        return made


def _same(value: T) -> T:
    return value


def _place(plugin: Plugin) -> str:
    return _called(plugin.value) if plugin.origin is None else str(plugin.origin)


def _called(value: object) -> str:
    """A class or an object as messages name it."""
    return f"{_known(value).__module__}.{_known(value).__qualname__}"


def _known(value: Any) -> Any:
    return value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
