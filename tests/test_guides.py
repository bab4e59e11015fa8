"""The guides keep their word: every command that they show is run, in order, against a real node."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import chain
from pathlib import Path

import pytest

from pychain.api import jsonrpc, site
from pychain.api.events import broadcast, ring
from pychain.api.events.views import KINDS
from pychain.base.rate import Rate
from pychain.base.time import NS
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import packaged_spec
from pychain.daemon.settings import load_settings
from pychain.http import connection, server
from pychain.stratum.server import limits
from tests.support.guide import Guide, blocks_by_hand, commands_by_hand, shell_blocks

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

RUN_HERE = {
    "CONTRIBUTING.md",
    "README.md",
    "docs/explorer.md",
    "docs/faults.md",
    "docs/http.md",
    "docs/mining.md",
    "docs/operations/README.md",
    "docs/private-network.md",
    "docs/simulation.md",
    "docs/stamps.md",
    "docs/tutorial.md",
    "docs/wallet.md",
}
"""The pages with shell blocks; each has its test below."""

BY_HAND = {
    "README.md": {
        "installs and starts what is under test: test_operations.py does the same with a wheel": [
            "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/pychain devnet up -n 3",
        ],
        "this suite itself": [
            "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest -n 2",
            'python -m pytest "tests/sim/test_swarm.py::test_swarm[3]"',
        ],
    },
    "CONTRIBUTING.md": {
        "an installation": [
            "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]'",
            ".ci/install-packages",
        ],
        "this suite itself": [
            ".venv/bin/python -m pytest -n 2",
            ".venv/bin/python -m pytest tests/consensus tests/ledger -x",
            ".venv/bin/python -m pytest -m long -n 2",
            '.venv/bin/python -m pytest "tests/sim/test_swarm.py::test_swarm[3]"',
            ".venv/bin/ruff check .",
            ".venv/bin/ruff format .",
            ".venv/bin/mypy",
        ],
        "measurements": [
            ".venv/bin/pychain bench",
            ".venv/bin/python bench/kernels.py",
            ".venv/bin/python -m pytest bench/test_headers_bench.py",
        ],
    },
    "docs/tutorial.md": {
        "an installation": [
            "python3 -m venv .venv",
            ".venv/bin/pip install -q .",
            ". .venv/bin/activate",
        ],
    },
    "docs/private-network.md": {
        "other machines": [
            "pychain wallet create --network ./office.toml",
            "pychain node --network ./office.toml --mine",
            "pychain node --network ./office.toml --connect 192.0.2.1",
        ],
    },
    "docs/operations/README.md": {
        "root, and the machine's systemd": [
            "sudo python3 -m venv /opt/pychain",
            "sudo /opt/pychain/bin/pip install .",
            "sudo install -m 644 docs/operations/pychain.service /etc/systemd/system/",
            "sudo systemctl daemon-reload",
            "sudo systemctl enable --now pychain",
            "journalctl --unit pychain --follow",
            "sudo /opt/pychain/bin/pychain chain info --datadir /var/lib/pychain",
            "sudo /opt/pychain/bin/pip install --upgrade .",
            "sudo systemctl restart pychain",
        ],
        "containers": [
            "docker build --tag pychain .",
            "docker run --detach --name pychain --publish 30700:30700 --volume pychain:/data --read-only pychain",
            "docker exec pychain pychain chain info",
            "docker stop --time 60 pychain",
        ],
    },
}
"""Page -> why no test runs them -> the commands, all of them."""


def pages() -> dict[str, Path]:
    """Every page of the documentation, by its place in the repository."""
    found = [page for folder in (DOCS, ROOT / "bench", ROOT / "examples") for page in folder.rglob("*.md")]
    found += ROOT.glob("*.md")
    return {str(page.relative_to(ROOT)): page for page in sorted(found)}


def test_every_page_with_commands_is_run() -> None:
    assert {name for name, page in pages().items() if shell_blocks(page)} == RUN_HERE


def test_the_commands_that_no_test_runs_are_these() -> None:
    shown = {name: sorted(commands_by_hand(page)) for name, page in pages().items() if commands_by_hand(page)}
    assert shown == {name: sorted(chain.from_iterable(reasons.values())) for name, reasons in BY_HAND.items()}


@pytest.mark.parametrize("name", sorted(RUN_HERE))
def test_no_block_of_commands_is_overlooked(name: str, tmp_path: Path) -> None:
    """A fence that is none of the three kinds would be run by nobody."""
    page = ROOT / name
    assert Guide(page, tmp_path).blocks + blocks_by_hand(page) == shell_blocks(page)


def test_the_index_lists_every_page() -> None:
    index = DOCS / "README.md"
    listed = {
        (page.parent / link).resolve()
        for page in (index, DOCS / "decisions" / "README.md")
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))
    }
    assert set(DOCS.rglob("*.md")) - {index} <= listed


def test_the_readme(tmp_path: Path) -> None:
    shown = Guide(ROOT / "README.md", tmp_path).run()
    assert "my first coins" in shown
    assert "Traceback" not in shown


def test_the_contributor_s_guide(tmp_path: Path) -> None:
    shown = Guide(ROOT / "CONTRIBUTING.md", tmp_path).run()
    assert "Traceback" not in shown


def test_the_tutorial(tmp_path: Path) -> None:
    shown = Guide(DOCS / "tutorial.md", tmp_path).run()
    assert "valid-fork" in shown
    assert "all 3 nodes agree" in shown
    assert "headers from genesis on, no node asked" in shown
    assert "Traceback" not in shown


def test_the_private_network(tmp_path: Path) -> None:
    shown = Guide(DOCS / "private-network.md", tmp_path).run()
    assert "2 nodes stopped" in shown
    assert "Traceback" not in shown


def test_the_operator_s_guide(tmp_path: Path) -> None:
    page = DOCS / "operations" / "README.md"
    shown = Guide(page, tmp_path).run()
    assert re.search(r"^the chain ends at height \d+ now$", shown, re.MULTILINE)
    assert "Traceback" not in shown


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here: nobody reads the guide's configuration")
def test_prometheus_takes_the_operator_s_configuration(tmp_path: Path) -> None:
    text = (DOCS / "operations" / "README.md").read_text("utf-8")
    configuration, rules = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "prometheus.yml").write_text(configuration)
    (tmp_path / "pychain.rules.yml").write_text(rules)
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 rules found" in done.stdout


def test_the_operator_s_settings_are_settings(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (DOCS / "operations" / "README.md").read_text("utf-8"), re.DOTALL)
    config = tmp_path / "pychain.toml"
    config.write_text(example)
    assert load_settings(environ={}, config=config).options.log_format == "json"


def test_the_wallet_guide(tmp_path: Path) -> None:
    shown = Guide(DOCS / "wallet.md", tmp_path).run()
    assert "invoice 17" in shown
    assert "Traceback" not in shown


def test_the_stamp_guide(tmp_path: Path) -> None:
    page = DOCS / "stamps.md"
    guide = Guide(page, tmp_path)
    shown = guide.run()
    assert "headers from genesis on, no node asked" in shown
    assert "the proof is of another file" in shown
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    genesis = hash_hex(packaged_spec("dev").genesis_hash)
    for file in ("contract.txt", "page2.txt"):
        assert re.match(r"in block \d+ of \d+, under \d+ hashes of work", guide.python(example, file, genesis))


def test_the_simulation_guide(tmp_path: Path) -> None:
    page = DOCS / "simulation.md"
    guide = Guide(page, tmp_path)
    shown = guide.run()
    assert "\nidentical\n" in shown
    assert (tmp_path / "latency.png").stat().st_size > 10_000
    assert "Traceback" not in shown
    scenario, discovery = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert re.match(r"[0-9.]+ [0-9a-f]{64}\n", guide.python(scenario))
    assert guide.python(discovery) == ""


def test_the_explorer_guide(tmp_path: Path) -> None:
    assert "Traceback" not in Guide(DOCS / "explorer.md", tmp_path).run()


def test_the_guide_of_faults(tmp_path: Path) -> None:
    page = DOCS / "faults.md"
    guide = Guide(page, tmp_path)
    shown = guide.run()
    assert "apart: node0 node1 | node2 node3" in shown
    assert "lag: 800 ms each way on node0-node1" in shown
    assert "killed" in shown
    assert "submitted  100 in" in shown
    assert "Traceback" not in shown
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert "left its own branch" in guide.python(example)


def test_the_mining_guide(tmp_path: Path) -> None:
    page = DOCS / "mining.md"
    shown = Guide(page, tmp_path).run()
    assert '"event":"end"' in shown
    assert '"user": "' in shown
    assert "Traceback" not in shown


def test_the_http_guide(tmp_path: Path) -> None:
    page = DOCS / "http.md"
    shown = Guide(page, tmp_path).run()
    assert '"network":"dev"' in shown
    assert "pychain_block_height 6.0" in shown
    assert "event: tip" in shown
    assert "Traceback" not in shown


def test_the_http_guide_s_limits_are_those_in_force() -> None:
    text = (DOCS / "http.md").read_text("utf-8")
    for bound in (server.MAX_CONNECTIONS, broadcast.MAX_LISTENERS, jsonrpc.MAX_BATCH_CALLS):
        assert f"{bound:,}" in text
    assert f"{connection.MAX_HEAD_BYTES // 1024} KiB" in text
    assert f"{site.MIN_BODY_BYTES // 2**20} MiB" in text
    assert f"{jsonrpc.MAX_BATCH_ANSWER_BYTES // 10**6} MB" in text
    assert f"{server.REQUEST_TIMEOUT_S} s; an idle connection stays for {server.KEEP_ALIVE_S} s" in text
    kept = [f"{ring.KEPT[kind]:,}" for kind in KINDS]
    assert "last {} tips, {} reorganisations, {} transfers and\n{} peers".format(*kept) in text


def test_the_mining_guide_s_limits_are_those_in_force() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+)", (DOCS / "mining.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) >= 11
    for name, number in rows:
        limit = getattr(limits, name)
        if name.endswith("_NS"):
            limit //= NS
        elif isinstance(limit, Rate):
            limit = limit.tokens * NS // limit.period_ns
        assert limit == int(number), name
