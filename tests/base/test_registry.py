"""Registries: a name stands for one thing alone, wherever it comes from, and what is no plug-in is refused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.metadata import EntryPoint

import pytest

from pychain.base.errors import ConfigError
from pychain.base.registry import Origin, Plugin, Registry, name_of


class Tune(ABC):
    name = "silence"

    @abstractmethod
    def note(self) -> str: ...


class March(Tune):
    name = "march"

    def note(self) -> str:
        return "c"


class Waltz(Tune):
    name = "waltz"

    def note(self) -> str:
        return "d"


class OtherWaltz(Waltz):
    pass


class FalseMarch(March):
    pass


class Unfinished(Tune):
    name = "unfinished"


class Unplayable(March):
    name = "unplayable"

    def __init__(self) -> None:
        raise ValueError("too fast")


TUNES: Registry[Tune] = Registry("tune", "tests.tunes", Tune, (March(),))
CLASSES: Registry[type[Tune]] = Registry("class of tunes", "tests.tunes", Tune, (March,), of_classes=True)


def install(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    """Entry points as installed packages would declare them."""

    def entry_points(group: str) -> list[EntryPoint]:
        return [EntryPoint(name, value, group) for name, value in points]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)


def test_names_are_found() -> None:
    assert TUNES.named("march").note() == "c"
    for given in (Waltz, Waltz()):
        assert TUNES.named("waltz", [Plugin(given)]).note() == "d"
        assert list(TUNES.all([Plugin(given)])) == ["march", "waltz"]


def test_a_built_in_name_needs_no_look_at_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("importlib.metadata.entry_points")
    assert TUNES.named("march").note() == "c"


def test_a_registry_of_classes_makes_no_objects() -> None:
    assert CLASSES.named("march") is March
    assert CLASSES.named("waltz", [Plugin(Waltz)]) is Waltz
    assert not CLASSES.holds(Waltz())


def test_what_is_of_another_kind_is_left_to_other_registries() -> None:
    for other in (Tune, Unfinished, int, 3, "march", None, test_names_are_found):
        assert not TUNES.holds(other)
        assert list(TUNES.all([Plugin(other)])) == ["march"]


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError) as refused:
        TUNES.named("polka", [Plugin(Waltz)])
    assert str(refused.value) == "tune 'polka' is unknown; there are march, waltz; --plugin FILE.py loads your own"


def test_a_name_given_twice_is_refused() -> None:
    origin = Origin(kind="tune", name="waltz", file="./w.py", attribute="W", digest="")
    assert TUNES.named("waltz", [Plugin(Waltz), Plugin(Waltz, origin)]).note() == "d", "one thing given twice is one"
    with pytest.raises(ConfigError, match=r"two of tune 'waltz': \./w\.py:W and .*OtherWaltz"):
        TUNES.named("waltz", [Plugin(Waltz, origin), Plugin(OtherWaltz)])


def test_a_built_in_name_is_refused_whatever_is_looked_for() -> None:
    for name in ("march", "polka"):
        with pytest.raises(ConfigError, match=r"tune 'march' of .*FalseMarch has a built-in one's name"):
            TUNES.named(name, [Plugin(FalseMarch)])


@pytest.mark.parametrize("name", ["", "Waltz", "a b", "../waltz", "a" * 65, "waltz\n", None, 7])
def test_names_that_no_chain_spec_can_hold(name: object) -> None:
    tune = type("Bad", (March,), {"name": name})
    with pytest.raises(ConfigError, match="Bad: `name` must be 1 to 64 of a-z"):
        name_of(tune)
    with pytest.raises(ConfigError, match="Bad: `name` must be"):
        TUNES.named("march", [Plugin(tune)])


def test_what_packages_install(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ("waltz", f"{__name__}:Waltz"), ("waltz", f"{__name__}:Waltz"))
    assert TUNES.named("waltz").note() == "d"
    assert list(TUNES.all()) == ["march", "waltz"]
    with pytest.raises(ConfigError, match="two of tune 'waltz', one in the installed package"):
        TUNES.named("waltz", [Plugin(Waltz)])


@pytest.mark.parametrize(
    ("points", "complaint"),
    [
        ([("march", f"{__name__}:Waltz")], "two of tune 'march', one in the installed package"),
        ([("waltz", f"{__name__}:Waltz"), ("waltz", f"{__name__}:OtherWaltz")], "two packages install tune 'waltz'"),
        ([("waltz", f"{__name__}:March")], "March is no tune of that name"),
        ([("waltz", f"{__name__}:Unfinished")], "Unfinished is no tune of that name"),
        ([("waltz", f"{__name__}:nothing")], "cannot be loaded: AttributeError"),
        ([("waltz", "no_such_module:x")], "cannot be loaded: ModuleNotFoundError"),
        ([("waltz", f"{__name__}:Unplayable")], "cannot be loaded: ValueError: too fast"),
    ],
)
def test_what_packages_install_wrongly(
    monkeypatch: pytest.MonkeyPatch, points: list[tuple[str, str]], complaint: str
) -> None:
    install(monkeypatch, *points)
    with pytest.raises(ConfigError, match=complaint):
        TUNES.named("waltz")
