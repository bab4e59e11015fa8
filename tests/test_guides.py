"""The guides keep their word: every command that they show is run, in order, against a real node."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pychain.base.time import NS
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import packaged_spec
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
