"""What an operator installs: the service's unit, the image's steps, the wheel in a fresh environment."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pychain.base.errors import ConfigError
from pychain.chain.address import encode_address
from pychain.chain.spec import packaged_spec
from pychain.daemon.settings import load_settings
from pychain.wallet.keys import dev_key
from tests.daemon.process import Daemon

ROOT = Path(__file__).parent.parent
OPERATIONS = ROOT / "docs" / "operations"
UNIT = OPERATIONS / "pychain.service"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PATIENCE_S = 550
"""For a build of the C core and an installation with its dependencies on a busy machine."""
WORST_EXPOSURE = 15
"""Tenths, on the scale of `systemd-analyze security` from 0 to 10. What remains is the network, which a node needs."""
NO_NEW_CODE = """
import ctypes, mmap, sys
MDWE, REFUSE_EXEC_GAIN = 65, 1  # <linux/prctl.h>
if ctypes.CDLL(None).prctl(MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit("this kernel has no PR_SET_MDWE")
try:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)
    sys.exit("writable, executable memory was granted")
except PermissionError:
    pass
"""


def the_unit() -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # names have capitals
    unit.read_string(UNIT.read_text("utf-8"))
    return unit


def run(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYCHAIN_", "PYTHONPATH"))}
    return subprocess.run(
        words,
        cwd=cwd,
        env={**clean, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


# --- the service


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DynamicUser", "yes"),
        ("StateDirectory", "pychain"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("RestrictNamespaces", "yes"),
        ("SystemCallArchitectures", "native"),
        ("Restart", "on-failure"),
    ],
)
def test_the_unit_keeps_the_node_in_its_place(name: str, value: str) -> None:
    assert the_unit()["Service"][name] == value


def test_the_unit_has_the_system_calls_of_a_service_and_no_more() -> None:
    filters = re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)
    assert filters == ["@system-service", "~@privileged"]


def test_the_unit_s_settings_are_settings() -> None:
    service = the_unit()["Service"]
    environment = dict(word.split("=", 1) for word in service["Environment"].split())
    settings = load_settings(environ=environment)
    assert settings.spec == packaged_spec("main")
    assert settings.datadir == Path("/var/lib") / service["StateDirectory"]
    with pytest.raises(ConfigError):
        load_settings(environ={**environment, "PYCHAIN_NETWORK": "nowhere"})


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here: its own judgement is not asked")
def test_systemd_has_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    """The command is replaced, since systemd looks whether it is there; the rest stands."""
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text("utf-8"), flags=re.MULTILINE))
    verdict = run("systemd-analyze", "verify", "--man=no", str(unit))
    assert (verdict.returncode, verdict.stdout) == (0, "")
    exposure = run("systemd-analyze", "security", "--offline=true", f"--threshold={WORST_EXPOSURE}", str(unit))
    assert exposure.returncode == 0, exposure.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="MemoryDenyWriteExecute is Linux's")
def test_a_node_runs_where_no_memory_is_writable_and_executable(tmp_path: Path) -> None:
    """What MemoryDenyWriteExecute forbids, forbidden by the kernel itself: C core, threads, loop."""
    able = run(sys.executable, "-c", NO_NEW_CODE)
    if able.returncode and "no PR_SET_MDWE" in able.stdout:
        pytest.skip("the kernel is older than 6.3: it cannot forbid this without systemd")
    assert able.returncode == 0, able.stdout
    address = encode_address(packaged_spec("dev").hrp, dev_key(0).public_key)
    with Daemon(tmp_path / "node", NO_NEW_CODE, network="dev", mine=address, stratum_port=0).wait_ready() as node:
        assert node.rpc("waitforblockheight", 3)["height"] >= 3
        assert node.stop() == 0


# --- the image


def test_the_image_runs_a_node_without_rights_that_tells_its_health() -> None:
    steps = re.findall(r"^([A-Z]+) (.*)$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE)
    final = steps[max(at for at, (word, _) in enumerate(steps) if word == "FROM") :]
    said = dict(final)
    assert said["USER"] == "pychain"
    assert json.loads(said["HEALTHCHECK"].partition("CMD ")[2]) == ["pychain", "chain", "info"]
    assert said["EXPOSE"] == str(packaged_spec("main").p2p_port)
    environment = dict(word.split("=", 1) for word in said["ENV"].split())
    settings = load_settings(environ=environment)
    assert (str(settings.datadir), settings.spec.name) == (said["VOLUME"], "main")
    assert json.loads(said["ENTRYPOINT"]) == ["pychain"]
    assert (
        run(sys.executable, "-m", "pychain", *json.loads(said["CMD"]), "--help", PYTHONPATH=str(ROOT)).returncode == 0
    )


def context_of_the_image(target: Path) -> None:
    """What `.dockerignore` lets through."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    unwanted = shutil.ignore_patterns(*(line.removeprefix("**/") for line in patterns if line.startswith("**/")))
    target.mkdir()
    for name in (line[1:] for line in patterns if line.startswith("!")):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=unwanted)
        else:
            shutil.copy(source, target)


@pytest.mark.long
@pytest.mark.timeout(3 * PATIENCE_S)
def test_the_image_s_steps_and_the_wheel_in_a_fresh_environment(tmp_path: Path) -> None:
    """The Dockerfile's Python steps, as they stand, with directories of the test: the wheel is of the stable ABI, it
    installs where nothing of the project is, passes what cibuildwheel asks of it, and a node of it makes blocks."""
    context_of_the_image(tmp_path / "src")
    assert run(sys.executable, "-m", "venv", str(tmp_path / "venv")).returncode == 0
    path = f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}"
    steps = re.findall(r"^RUN (python .*)$", DOCKERFILE, re.MULTILINE)
    assert len(steps) == 2
    for step in steps:
        here = re.sub(r"(?<= )/(src|wheels)\b", rf"{tmp_path}/\1", step)
        done = run("sh", "-ec", here, cwd=tmp_path, PATH=path)
        assert done.returncode == 0, done.stdout
    (wheel,) = (tmp_path / "wheels").iterdir()
    assert "-cp311-abi3-" in wheel.name
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for command in configuration["tool"]["cibuildwheel"]["test-command"]:
        done = run("sh", "-ec", command, cwd=tmp_path, PATH=path)
        assert done.returncode == 0, done.stdout
    make_blocks(tmp_path, path)


def make_blocks(directory: Path, path: str) -> None:
    """A node as the image starts it, on the network `dev`; asked for its health, and stopped as docker stops it."""
    data = directory / "data"
    environment = {"PATH": path, "PYCHAIN_DATADIR": str(data), "PYCHAIN_NETWORK": "dev"}
    script = """
    pychain node --no-live --p2p-port 0 --api-port 0 2> node.log &
    trap 'kill $!' EXIT
    until test -e data/ready.json; do kill -0 $!; sleep 0.1; done
    pychain rpc generatetoaddress 3 "$(pychain rpc dev_automine true | sed -n 's/.*"address": "\\(.*\\)".*/\\1/p')"
    pychain chain info
    trap - EXIT
    kill -TERM $!
    wait $!
    """
    done = run("sh", "-ec", script, cwd=directory, **environment)
    assert done.returncode == 0, done.stdout + (directory / "node.log").read_text("utf-8")
    assert re.search(r"^height +3 *$", done.stdout, re.MULTILINE), done.stdout
