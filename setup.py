"""Build the C core. Everything else about the package stands in pyproject.toml."""

from __future__ import annotations

from setuptools import setup

setup(
    cffi_modules=["csrc/build_native.py:ffibuilder"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},  # one wheel for this and every later Python
)
