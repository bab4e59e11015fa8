"""/metrics as Prometheus reads it: true figures, valid formats, and a dashboard whose metrics exist."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from pychain.wallet.keys import dev_key
from tests.api.node import ApiError, ApiNode
from tests.api.web import get
from tests.daemon.process import TIMEOUT_S

DASHBOARD = Path(__file__).parent.parent.parent / "docs" / "grafana" / "pychain.json"
Labels = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiNode, ApiNode]]:
    """Two nodes with a peer each, blocks, a reorganisation, transfers and calls behind them."""
    base = tmp_path_factory.mktemp("metrics")
    with (
        ApiNode(base / "one", stratum_port=0) as one,
        ApiNode(base / "two", connect=[one.process.p2p]) as two,
    ):
        hashes = one.generate(4)
        one.call("sendrawtransaction", one.transfer(dev_key(0), dev_key(1), 5, 700))
        one.call("invalidateblock", hashes[2])
        with pytest.raises(ApiError):
            one.call("getblockhash", 99)
        get(one.base, "/api/v1/status")
        get(one.base, "/nothing")
        two.process.until(lambda: two.call("getblockcount") >= 2)
        yield one, two


def scrape(node: ApiNode) -> dict[tuple[str, Labels], float]:
    reply = get(node.base, "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    }


def labels(**named: str) -> Labels:
    return tuple(sorted(named.items()))


def test_the_figures_are_those_of_the_node(pair: tuple[ApiNode, ApiNode]) -> None:
    found = scrape(pair[0])
    assert found["pychain_block_height", ()] == 2
    assert found["pychain_blocks_connected_total", ()] == 4
    assert found["pychain_blocks_disconnected_total", ()] == 2
    assert (found["pychain_reorg_depth_blocks_count", ()], found["pychain_reorg_depth_blocks_sum", ()]) == (1, 2)
    assert found["pychain_mempool_transfers", ()] == found["pychain_transfers_accepted_total", ()] == 1
    assert found["pychain_mempool_fees", ()] == 700
    assert found["pychain_peers", labels(direction="inbound")] == 1
    assert found["pychain_peer_messages_total", labels(direction="received", type="hello")] == 1
    assert found["pychain_peer_bytes_total", labels(direction="sent")] > 0
    assert found["pychain_api_request_seconds_count", labels(method="generatetoaddress")] == 1
    assert found["pychain_api_errors_total", labels(method="getblockhash")] == 1
    assert found["pychain_api_request_seconds_count", labels(method="GET /status")] == 1
    assert found["pychain_http_responses_total", labels(code="404")] == 1
    assert found["pychain_verify_seconds_count", labels(kind="blocks")] == 4
    for name in ("pychain_commit_seconds", "pychain_turn_seconds", "pychain_loop_lag_seconds"):
        assert found[f"{name}_count", ()] > 0
        assert found[f"{name}_bucket", labels(le="+Inf")] == found[f"{name}_count", ()]
    assert found["process_resident_memory_bytes", ()] > 1_000_000
    assert found["process_open_fds", ()] > 5


def test_traffic_of_peers_who_left_still_counts(pair: tuple[ApiNode, ApiNode]) -> None:
    one, _ = pair
    before = scrape(one)
    (peer,) = one.call("getpeerinfo")
    one.call("disconnectnode", peer["addr"])
    one.process.until(lambda: all(each["id"] != peer["id"] for each in one.call("getpeerinfo")))
    after = scrape(one)
    for direction in ("sent", "received"):
        key = ("pychain_peer_bytes_total", labels(direction=direction))
        assert after[key] >= before[key] > 0


def test_counters_end_in_total_and_each_family_is_told_once(pair: tuple[ApiNode, ApiNode]) -> None:
    text = get(pair[0].base, "/metrics").body.decode()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert len(types) == text.count("# TYPE")
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in types.items())


def test_openmetrics_for_who_accepts_it(pair: tuple[ApiNode, ApiNode]) -> None:
    reply = get(pair[0].base, "/metrics", accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "pychain_blocks_connected" in {family.name for family in parse_openmetrics(reply.body.decode())}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here: nobody but ourselves read the metrics")
@pytest.mark.parametrize("which", [0, 1])
def test_promtool_has_nothing_to_say(pair: tuple[ApiNode, ApiNode], which: int) -> None:
    text = get(pair[which].base, "/metrics").body
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False, timeout=TIMEOUT_S
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_the_dashboard_names_metrics_that_there_are(pair: tuple[ApiNode, ApiNode]) -> None:
    text = get(pair[0].base, "/metrics").body.decode()
    known = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        known |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    named = set(re.findall(r"\b(?:pychain|process)_\w+", " ".join(expressions(json.loads(DASHBOARD.read_text())))))
    assert len(named) > 40
    assert named <= known


def expressions(value: Any) -> Iterator[str]:
    """Every PromQL text of a dashboard, wherever."""
    if isinstance(value, list):
        for each in value:
            yield from expressions(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in ("expr", "query") and isinstance(each, str):
                yield each
            else:
                yield from expressions(each)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus here to scrape the node")
def test_a_real_prometheus_scrapes_and_answers_what_the_dashboard_asks(
    pair: tuple[ApiNode, ApiNode], tmp_path: Path
) -> None:
    targets = ", ".join(f"'{node.base.removeprefix('http://')}'" for node in pair)
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 500ms}\n"
        f"scrape_configs: [{{job_name: pychain, static_configs: [{{targets: [{targets}]}}]}}]\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:

        def ask(expression: str) -> list[Any]:
            query = urllib.parse.urlencode({"query": expression})
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=TIMEOUT_S) as answer:
                document = json.load(answer)
            assert document["status"] == "success"
            assert not document.get("warnings")
            result: list[Any] = document["data"]["result"]
            return result

        def count(expression: str) -> int:
            try:
                return len(ask(expression))
            except OSError:
                return 0

        deadline = time.monotonic() + TIMEOUT_S
        while count("rate(pychain_turn_seconds_count[5s])") < len(pair):
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert [sample["value"][1] for sample in ask("up")] == ["1", "1"]
        for expression in expressions(json.loads(DASHBOARD.read_text())):
            if expression.startswith(("label_values", "prometheus")):
                continue
            ask(expression.replace("$__rate_interval", "5s").replace("$instance", ".*"))
        log_text = (tmp_path / "log").read_text()
    finally:
        server.terminate()
        server.wait(TIMEOUT_S)
    assert "level=warn" not in log_text, log_text
    assert "level=error" not in log_text, log_text
