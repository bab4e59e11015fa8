"""Describe the compiled module `pychain.native._core` to cffi: its declarations are those of pychain.h."""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
# setuptools needs paths relative to setup.py, one level up.
SOURCES = sorted(str(path.relative_to(HERE.parent)) for path in HERE.rglob("*.c"))
DEPENDS = sorted(str(path.relative_to(HERE.parent)) for path in HERE.rglob("*.h"))


def declarations() -> str:
    """The declarations between the two `cffi` lines of pychain.h."""
    header = (HERE / "pychain.h").read_text(encoding="utf-8")
    return header[header.index("/* cffi: begin */") : header.index("/* cffi: end */")]


ffibuilder = FFI()
ffibuilder.cdef(declarations())
ffibuilder.set_source(
    "pychain.native._core",
    '#include "pychain.h"',
    sources=SOURCES,
    depends=DEPENDS,
    include_dirs=[HERE.name],
    # Instruction sets are attributes of single functions, so no flag here depends on the machine.
    extra_compile_args=["-std=c11", "-O2", "-pthread"],
    extra_link_args=["-pthread"],
    # Without a C compiler the package still installs and runs on pychain.native.reference.
    optional=True,
)
