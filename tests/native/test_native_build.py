"""Building the core: without a compiler, the fallback, kernels forced by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pychain import native
from pychain.native import reference

from .kernels import KERNELS

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 240
HIDE_CORE = "import sys; sys.modules['pychain.native._core'] = None\n"


def run_python(code: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(cwd), **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def has_compiler() -> bool:
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    return shutil.which(compiler) is not None


def test_the_core_is_compiled_where_there_is_a_compiler() -> None:
    assert native.compiled is has_compiler(), native.fallback_reason
    assert (native.fallback_reason is None) is native.compiled


def test_kernels_have_prefixed_names_and_one_is_in_use() -> None:
    assert all(name.startswith(("sha256:", "ed25519:")) for name in native.kernels())
    assert len(set(native.kernels())) == len(native.kernels())
    assert set(native.kernel.split(",")) <= set(native.kernels())


def test_unknown_attributes_stay_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'kernal'"):
        getattr(native, "kern" + "al")


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_forced_by_the_environment(name: str) -> None:
    done = run_python("from pychain import native; print(native.kernel)", PYCHAIN_KERNEL=f" {name} ,")
    assert name in done.stdout.strip().split(","), done.stderr


def test_an_unknown_kernel_in_the_environment_is_one_clear_line() -> None:
    code = "from pychain import native"
    done = run_python(code, PYCHAIN_KERNEL=f"{native.kernels()[0]},sha256:abacus")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "KernelError: PYCHAIN_KERNEL: kernel 'sha256:abacus' is not available on this machine, which has" in last


def test_without_the_core_the_twin_does_its_work() -> None:
    code = (
        HIDE_CORE + "from pychain import native\n"
        "print(native.compiled, native.kernel, native.kernels(), native.sha256d(b'abc').hex(), native.cpu().compiler)\n"
        "print(native.fallback_reason)"
    )
    done = run_python(code)
    state, reason = done.stdout.splitlines()
    assert state == f"False sha256:reference ['sha256:reference'] {reference.sha256d(b'abc').hex()} none", done.stderr
    assert reason.startswith("the C core is not available (")
    assert reason.endswith("), so hashing runs in pure Python")


def test_a_build_without_a_compiler_succeeds_and_falls_back(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in ("csrc", "pychain"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    install = ("-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target), ".")
    env = {**os.environ, "CC": "/bin/false"}
    done = subprocess.run(
        [sys.executable, *install], cwd=source, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(target.rglob("*.so"))
    answer = run_python("from pychain import native; print(native.compiled, native.__file__)", cwd=target)
    assert answer.stdout.split() == ["False", str(target / "pychain" / "native" / "__init__.py")], answer.stderr


def test_cpu_is_described() -> None:
    cpu = native.cpu()
    assert cpu.name
    assert cpu.compiler
    assert "\n" not in cpu.name + cpu.compiler
    assert all(feature and " " not in feature for feature in cpu.features)
