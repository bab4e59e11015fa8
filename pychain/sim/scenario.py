"""What a scenario is: a name, parameters as a typed struct, and a function that plays it on a stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from pychain.base.errors import ConfigError
from pychain.sim.chronicle import Figures
from pychain.sim.stage import Stage

Blocks = Annotated[int, Meta(ge=1, le=1_000_000, description="blocks until the end")]
Interval = Annotated[float, Meta(ge=0.1, le=100_000, description="expected seconds between blocks")]
Delay = Annotated[float, Meta(ge=0.001, le=10_000, description="mean one-way delay of a link, ms")]
"""Above ten seconds no handshake is done in time."""
Rate = Annotated[float, Meta(ge=0, le=100, description="transfers a second")]


class Parameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a scenario: each has a default, a range and a description."""


P = TypeVar("P", bound=Parameters)


class Parameter(Struct, frozen=True, kw_only=True):
    """One of them, as `pychain sim list` shows it."""

    name: str
    default: int | float | str
    description: str


@dataclass(frozen=True)
class Scenario(Generic[P]):
    """A story that the simulator can tell, with all that a seed and parameters leave open.

    about: one line. headline: the figures that a table of many runs shows.
    """

    name: str
    about: str
    parameters: type[P]
    play: Callable[[Stage, P], Figures]
    headline: tuple[str, ...]

    def read(self, given: Mapping[str, Any]) -> P:
        """Parameters from numbers or from text. ConfigError where one is unknown or does not fit."""
        for name in given:
            if name not in self.parameters.__struct_fields__:
                known = ", ".join(self.parameters.__struct_fields__)
                raise ConfigError(f"scenario '{self.name}' has no parameter '{name}'; there are {known}")
        try:
            return msgspec.convert(dict(given), self.parameters, strict=False)
        except msgspec.ValidationError as error:
            line, _, place = str(error).partition(" - at `$.")
            name = place.rstrip("`")
            what = f"{name}={given[name]} does not fit scenario" if name in given else "parameters do not fit scenario"
            raise ConfigError(f"{what} '{self.name}': {line}") from None

    def described(self) -> list[Parameter]:
        """Its parameters, in their order."""
        return [
            Parameter(name=field.name, default=field.default, description=_description(field.type))
            for field in msgspec.structs.fields(self.parameters)
        ]


def _description(annotated: Any) -> str:
    for note in get_args(annotated):
        if isinstance(note, Meta) and note.description is not None:
            return note.description
    return ""
