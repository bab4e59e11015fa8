"""What a start loads: nothing that only some nodes need, since every import is time until the node is ready."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.daemon.process import Daemon

NOT_FOR_ALL = {
    "pychain.daemon.stratum": "only where miners are served",
    "pychain.stratum.server.session": "only where miners are served",
    "pychain.plugins": "only under rules from users' files",
    "importlib.metadata": "only under rules that are not built in",
    "pychain.daemon.live": "only on a terminal",
    "rich": "only on a terminal",
    "pychain.api.metrics.exposition": "when Prometheus asks first",
    "prometheus_client": "when Prometheus asks first",
    "pychain.api.__main__": "writes a document",
    "pychain.daemon.chain_export": "other commands",
    "pychain.daemon.chain_import": "other commands",
    "pychain.cli": "other commands",
    "pychain.client": "other commands",
    "pychain.devnet": "other commands",
    "pychain.keystore": "other commands",
    "pychain.sim": "other commands",
    "pychain.stamps": "other commands",
    "matplotlib": "other commands",
    "click": "other commands",
    "mnemonic": "wallets",
    "h11": "clients",
    "hypothesis": "tests",
    "pytest": "tests",
    "setuptools": "builds",
}
"""Module -> its users."""

TELL = """
import atexit, json, pathlib
atexit.register(lambda: pathlib.Path({path!r}).write_text(json.dumps(list(sys.modules))))
"""


def unwanted(modules: list[str], names: dict[str, str]) -> list[str]:
    """Those of the modules that are named, or lie in a package that is."""
    return [module for module in modules if any(module == name or module.startswith(f"{name}.") for name in names)]


def test_a_node_loads_what_every_node_needs(tmp_path: Path) -> None:
    listing = tmp_path / "modules.json"
    with Daemon(tmp_path / "node", TELL.format(path=str(listing)), network="dev").wait_ready() as node:
        assert node.stop() == 0
    modules: list[str] = json.loads(listing.read_text())
    assert "pychain.daemon.daemon" in modules
    assert unwanted(modules, NOT_FOR_ALL) == []


def test_a_node_that_serves_miners_loads_the_stratum_server(tmp_path: Path) -> None:
    listing = tmp_path / "modules.json"
    with Daemon(tmp_path / "node", TELL.format(path=str(listing)), network="dev", stratum_port=0).wait_ready() as node:
        assert node.stop() == 0
    assert "pychain.daemon.stratum.server" in json.loads(listing.read_text())


def test_a_world_whose_api_is_not_asked_loads_none() -> None:
    program = "import json, sys; import pychain.sim.world; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    found = unwanted(json.loads(done.stdout), {"pychain.api": "", "pychain.http": "", "asyncio": "", "socket": ""})
    assert found == []
