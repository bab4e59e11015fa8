"""The C core itself: under sanitizers, on ARMv8 by cross compiler and emulator, and its generated files against
their generator."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pychain import native

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
CHECK = Path(__file__).with_name("core_check.c")
TIMEOUT_S = 280
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", f"-I{CSRC}")
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

# Debian and Ubuntu: gcc-aarch64-linux-gnu and qemu-user (or qemu-user-static).
ARM_COMPILER = shutil.which("aarch64-linux-gnu-gcc")
ARM_EMULATOR = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
COMPILERS = list({os.path.realpath(path): path for path in map(shutil.which, ("cc", "gcc", "clang")) if path}.values())


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(compiler: str, program: Path, *flags: str) -> None:
    run(compiler, *WARNINGS, *flags, *map(str, sorted(CSRC.glob("*.c"))), str(CHECK), "-o", str(program))


def agreement(kernels: list[str]) -> list[str]:
    return [f"{name} agrees" for name in kernels]


@pytest.mark.skipif(not COMPILERS, reason="no C compiler, so there is no C core to check")
def test_every_kernel_under_address_and_undefined_behaviour_sanitizers(tmp_path: Path) -> None:
    program = tmp_path / "core_check"
    build(COMPILERS[0], program, *SANITIZERS)
    kernels = [name for name in native.kernels() if name.startswith("sha256:")]
    assert sorted(run(str(program)).splitlines()) == sorted(agreement(kernels))


@pytest.mark.parametrize("compiler", COMPILERS[1:])
def test_every_other_compiler_builds_the_same_core(compiler: str, tmp_path: Path) -> None:
    program = tmp_path / "core_check"
    build(compiler, program, "-O2")
    assert run(str(program)).splitlines()[-1] == "sha256:portable agrees"


@pytest.mark.skipif(ARM_COMPILER is None, reason="no cross compiler here: the ARMv8 kernel was not even compiled")
def test_the_armv8_kernel_compiles(tmp_path: Path) -> None:
    assert ARM_COMPILER is not None
    build(ARM_COMPILER, tmp_path / "core_check", "-O2", "-static")


@pytest.mark.skipif(not (ARM_COMPILER and ARM_EMULATOR), reason="no emulator here: the ARMv8 kernel was not run")
def test_the_armv8_kernel_agrees_with_the_portable_one(tmp_path: Path) -> None:
    assert ARM_COMPILER is not None
    assert ARM_EMULATOR is not None
    program = tmp_path / "core_check"
    build(ARM_COMPILER, program, "-O2", "-static")
    assert run(ARM_EMULATOR, str(program)).splitlines() == agreement(["sha256:armv8", "sha256:portable"])


def test_generated_files_are_what_the_generator_writes() -> None:
    spec = importlib.util.spec_from_file_location("generate", CSRC / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = generate  # dataclasses look their module up
    spec.loader.exec_module(generate)
    written = {path.name: path.read_text(encoding="ascii") for path in (CSRC / "generated").iterdir()}
    assert written == generate.files()
