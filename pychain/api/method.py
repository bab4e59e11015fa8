"""Methods: typed Python functions, each the single definition behind calls, `help` and the documentation.

A method is a function whose first parameter is the `Context`; the others are the call's parameters, with types that
msgspec can convert JSON to. The docstring's first line is the summary, the rest the description.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

import msgspec

from pychain.api.errors import Code, RpcError

Function = TypeVar("Function", bound=Callable[..., Any])

REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `default` is `REQUIRED` if there is none."""

    name: str
    type: Any
    default: Any

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Method:
    """A method as it is called and described. `errors`: those it raises itself, and when. `waits`: it may take for
    ever."""

    name: str
    group: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    result: Any
    errors: Mapping[Code, str]
    example: tuple[Any, ...]
    dev_only: bool
    is_async: bool
    waits: bool
    function: Callable[..., Any]
    arguments: type[msgspec.Struct]

    def bind(self, params: Any) -> Sequence[Any]:
        """The function's arguments from a call's `params` (a list, an object, or None), converted and checked."""
        if params is None:
            params = {}
        if isinstance(params, list):
            if len(params) > len(self.parameters):
                raise RpcError(Code.INVALID_PARAMS, f"too many parameters: {self.signature}")
            # As in Core, null for an optional parameter means its default.
            params = {
                parameter.name: value
                for parameter, value in zip(self.parameters, params, strict=False)
                if value is not None or parameter.required
            }
        elif not isinstance(params, dict):
            raise RpcError(Code.INVALID_REQUEST, "params is neither a list nor an object")
        return self.convert(params) if params or self.parameters else ()

    def convert(self, given: dict[str, Any], *, strict: bool = True) -> Sequence[Any]:
        """The arguments from values by name; unless `strict`, text may stand for numbers and booleans."""
        try:
            return msgspec.structs.astuple(msgspec.convert(given, self.arguments, strict=strict))
        except msgspec.ValidationError as error:
            raise self._refusal(given, str(error)) from None

    def _refusal(self, given: dict[str, Any], error: str) -> RpcError:
        """The error for a call's bad parameters."""
        names = [parameter.name for parameter in self.parameters]
        for parameter in self.parameters:
            if parameter.required and parameter.name not in given:
                return RpcError(Code.INVALID_PARAMS, f"parameter '{parameter.name}' is missing: {self.signature}")
        for name in given:
            if name not in names:
                return RpcError(Code.INVALID_PARAMETER, f"there is no parameter '{name[:64]}': {self.signature}")
        wrong_type = error.startswith(("Expected `", "Invalid type")) and ", got `" in error
        code = Code.TYPE_ERROR if wrong_type else Code.INVALID_PARAMETER
        return RpcError(code, f"{error}: {self.signature}")

    @property
    def signature(self) -> str:
        """The call as one line of text: `getblock blockhash [verbosity=1]`."""
        words = [self.name]
        for parameter in self.parameters:
            default = msgspec.json.encode(parameter.default).decode() if not parameter.required else ""
            words.append(parameter.name if parameter.required else f"[{parameter.name}={default}]")
        return " ".join(words)


class Group:
    """The methods of one topic, in the order of their definition."""

    def __init__(self, name: str, title: str, *, dev_only: bool = False) -> None:
        self.name = name
        self.title = title
        self._dev_only = dev_only
        self._methods: list[Method] = []

    @property
    def methods(self) -> tuple[Method, ...]:
        return tuple(self._methods)

    def method(
        self,
        *,
        name: str | None = None,
        errors: Mapping[Code, str] | None = None,
        example: tuple[Any, ...] = (),
        waits: bool = False,
    ) -> Callable[[Function], Function]:
        """Make a function a method of this group. `example`: arguments for its documentation."""

        def register(function: Function) -> Function:
            method = describe(
                function,
                self.name,
                name=name,
                errors=errors,
                example=example,
                waits=waits,
                dev_only=self._dev_only,
            )
            self._methods.append(method)
            return function

        return register


def describe(
    function: Callable[..., Any],
    group: str,
    *,
    name: str | None = None,
    errors: Mapping[Code, str] | None = None,
    example: tuple[Any, ...] = (),
    waits: bool = False,
    dev_only: bool = False,
) -> Method:
    """A typed function as a method, under its own name unless another is given."""
    hints = get_type_hints(function, include_extras=True)
    _, *parameters = inspect.signature(function).parameters.values()  # the first is the context
    params = tuple(Parameter(each.name, hints[each.name], each.default) for each in parameters)
    fields = [(each.name, each.type) if each.required else (each.name, each.type, each.default) for each in params]
    summary, _, description = (inspect.getdoc(function) or "").partition("\n")
    return Method(
        name=name or function.__name__,
        group=group,
        summary=summary,
        description=description.strip(),
        parameters=params,
        result=hints["return"],
        errors=errors or {},
        example=example,
        dev_only=dev_only,
        is_async=inspect.iscoroutinefunction(function),
        waits=waits,
        function=function,
        arguments=msgspec.defstruct(f"{function.__name__}_arguments", fields, forbid_unknown_fields=True),
    )


def table(groups: Iterable[Group], *, dev: bool) -> dict[str, Method]:
    """The methods that a node serves, by name; those of dev networks only on such networks."""
    return {method.name: method for group in groups for method in group.methods if dev or not method.dev_only}
