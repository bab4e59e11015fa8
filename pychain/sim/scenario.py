"""Scenarios: a name, parameters as a typed struct, and a function that plays it on a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from pychain.base.errors import ConfigError
from pychain.base.registry import Plugin, Registry
from pychain.consensus.fork_choice import FORK_CHOICE_RULES
from pychain.consensus.retarget import RETARGET_RULES
from pychain.sim.chronicle import Figures
from pychain.sim.participants import PARTICIPANTS
from pychain.sim.stage import Stage

Blocks = Annotated[int, Meta(ge=1, le=1_000_000, description="blocks until the end")]
Interval = Annotated[float, Meta(ge=0.1, le=100_000, description="expected seconds between blocks")]
Delay = Annotated[float, Meta(ge=0.001, le=10_000, description="mean one-way delay of a link, ms")]
"""Above ten seconds no handshake would complete in time."""
Rate = Annotated[float, Meta(ge=0, le=100, description="transfers a second")]

_REGISTRY = "registry"
Retarget = Annotated[str, Meta(description="retarget rule", extra={_REGISTRY: RETARGET_RULES})]
ForkChoice = Annotated[str, Meta(description="fork-choice rule", extra={_REGISTRY: FORK_CHOICE_RULES})]
Driver = Annotated[str, Meta(description="participant that drives the machine", extra={_REGISTRY: PARTICIPANTS})]
"""Parameters that name something registered; on command lines they may be files too."""


class Parameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a scenario: each has a default, a range and a description."""


P = TypeVar("P", bound=Parameters)


class Parameter(Struct, frozen=True, kw_only=True):
    """One parameter, as shown by `pychain sim list`."""

    name: str
    default: int | float | str
    description: str


@dataclass(frozen=True)
class Scenario(Generic[P]):
    """A scenario for the simulator: how a world is built and run, and what is measured.

    name: 1 to 64 of a-z, 0-9, '.', '_' and '-'. about: one line. play: builds a world on the stage from parameters,
    runs it to its end, and returns the figures; it must depend only on its arguments. headline: the figures shown in a
    table of many runs.
    """

    name: str
    about: str
    parameters: type[P]
    play: Callable[[Stage, P], Figures]
    headline: tuple[str, ...]

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(self.parameters):
            if field.required:
                raise TypeError(f"parameter '{field.name}' of scenario '{self.name}' has no default")

    def read(self, given: Mapping[str, Any], plugins: Iterable[Plugin] = ()) -> P:
        """Parameters from numbers or from text. ConfigError if one is unknown or does not fit."""
        for name in given:
            if name not in self.parameters.__struct_fields__:
                known = ", ".join(self.parameters.__struct_fields__)
                raise ConfigError(f"scenario '{self.name}' has no parameter '{name}'; there are {known}")
        try:
            parameters = msgspec.convert(dict(given), self.parameters, strict=False)
        except msgspec.ValidationError as error:
            line, _, place = str(error).partition(" - at `$.")
            name = place.rstrip("`")
            what = f"{name}={given[name]} does not fit scenario" if name in given else "parameters do not fit scenario"
            raise ConfigError(f"{what} '{self.name}': {line}") from None
        for name, registry in self.registries().items():
            registry.named(getattr(parameters, name), plugins)
        return parameters

    def registries(self) -> dict[str, Registry[Any]]:
        """The parameters that name something registered, and the registry of each."""
        notes = {field.name: _notes(field.type) for field in msgspec.structs.fields(self.parameters)}
        return {
            name: note.extra[_REGISTRY]
            for name, several in notes.items()
            for note in several
            if note.extra is not None and _REGISTRY in note.extra
        }

    def described(self) -> list[Parameter]:
        """Its parameters, in order."""
        return [
            Parameter(name=field.name, default=field.default, description=_description(field.type))
            for field in msgspec.structs.fields(self.parameters)
        ]


def _description(annotated: Any) -> str:
    return next((note.description for note in _notes(annotated) if note.description is not None), "")


def _notes(annotated: Any) -> list[Meta]:
    return [note for note in get_args(annotated) if isinstance(note, Meta)]
