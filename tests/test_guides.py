"""The guides keep their word: every command that they show is run, in order, against a real node."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pychain.base.time import NS
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import packaged_spec
from pychain.daemon.api import jsonrpc, site
from pychain.daemon.api.events import broadcast, ring
from pychain.daemon.api.events.views import KINDS
from pychain.daemon.http import connection, server
from pychain.daemon.stratum import limits
from pychain.p2p.limits import Rate
from tests.support.guide import Guide

pytestmark = pytest.mark.timeout(600)

DOCS = Path(__file__).parent.parent / "docs"


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
