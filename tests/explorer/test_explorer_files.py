"""The explorer's files: small, in the package, and without the means to make markup of text or to leave the host."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tests.api.node import ApiNode
from tests.api.web import get

ROOT = Path(__file__).parent.parent.parent
STATIC = files("pychain.api.explorer") / "static"
SOURCES = {
    "index.html": STATIC / "index.html",
    "style.css": STATIC / "style.css",
    "theme.js": STATIC / "theme.js",
    "favicon.svg": STATIC / "favicon.svg",
    **{f"js/{each.name}": each for each in (STATIC / "js").iterdir() if each.is_file()},
    **{f"js/views/{each.name}": each for each in (STATIC / "js" / "views").iterdir()},
}
MAX_BYTES = 100_000
"""Of all files together, as they are."""
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\b"
)
"""Functions that turn a string into markup or code."""
ELSEWHERE = re.compile(r"""\b(?:https?|wss?|ftp):|["'`(]//|@import""")
"""Patterns of links to other hosts."""
NAMESPACE = "http://www.w3.org/2000/svg"


def test_all_files_together_are_small() -> None:
    assert 20_000 < sum(len(each.read_bytes()) for each in SOURCES.values()) <= MAX_BYTES


@pytest.mark.parametrize("name", SOURCES)
def test_no_file_can_make_markup_of_text_or_names_another_host(name: str) -> None:
    text = SOURCES[name].read_text("utf-8").replace(NAMESPACE, "")
    assert not MARKUP.search(text)
    assert not ELSEWHERE.search(text)
    assert not re.search(r"""\son\w+=["']|\sstyle=["']|javascript:""", text)


@pytest.mark.parametrize("name", SOURCES)
def test_node_serves_the_file_under_a_strict_policy(node: ApiNode, name: str) -> None:
    answer = get(node.base, f"/{name}")
    assert answer.status == 200
    assert answer.body == SOURCES[name].read_bytes()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_all_modules_are_asked_for_at_once() -> None:
    """Else a browser finds them one import after the other, a round trip each."""
    named = re.findall(
        r'(?:rel="modulepreload" href|type="module" src)="([^"]+)"', SOURCES["index.html"].read_text("utf-8")
    )
    assert sorted(named) == sorted(name for name in SOURCES if name.startswith("js/"))


def test_the_package_has_all_files(tmp_path: Path) -> None:
    """Built as for a wheel."""
    build = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    built = tmp_path / "pychain" / "api" / "explorer" / "static"
    found = {str(each.relative_to(built)) for each in built.rglob("*") if each.is_file()}
    assert found == set(SOURCES)


def test_pages_beside_are_there(node: ApiNode) -> None:
    for page in ("docs", "openapi.json"):
        assert f'href="{page}"' in SOURCES["index.html"].read_text("utf-8")
        assert get(node.base, f"/{page}").status == 200


def test_root_is_the_index(node: ApiNode) -> None:
    assert get(node.base, "/").body == SOURCES["index.html"].read_bytes()
