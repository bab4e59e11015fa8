"""Errors are one line for a person, whatever they quote."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import ConfigError, DecodeError, PychainError


@given(st.text())
def test_any_text_becomes_one_printable_line(quoted: str) -> None:
    line = str(PychainError(f"no such thing: '{quoted}'"))
    assert line.isprintable()
    assert "\n" not in line


def test_what_is_printable_stays_as_it_is() -> None:
    assert str(DecodeError("größer als 2^63: zu viel")) == "größer als 2^63: zu viel"


@pytest.mark.parametrize(
    ("quoted", "shown"), [("a\nb", "a\\nb"), ("\x1b[31mred", "\\x1b[31mred"), ("\u202eevil", "\\u202eevil")]
)
def test_breaks_and_escapes_are_spelt_out(quoted: str, shown: str) -> None:
    assert str(ConfigError(f"'{quoted}'")) == f"'{shown}'"


def test_errors_travel_between_processes() -> None:
    copy = pickle.loads(pickle.dumps(DecodeError("a\nline")))
    assert type(copy) is DecodeError
    assert str(copy) == "a\\nline"
