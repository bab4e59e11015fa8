"""The README is tested: its Python runs, its links lead to files, and continuous integration runs its test command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_its_python_examples_run() -> None:
    """The run loop reaches height 3; the simulated network prints its trace digest."""
    run_loop, around_it, network = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(run_loop.splitlines()) <= 10
    assert output_of(f"{run_loop}\n{around_it}") == "height 3\n"
    assert re.search(r"\b[0-9a-f]{64}\b", output_of(network))


def output_of(example: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_its_links_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(page for name in ("docs", "examples") for page in (ROOT / name).rglob("*.md"))]
    documents = {path: path.read_text("utf-8") for path in sorted(pages)}
    dead = [
        f"{path.relative_to(ROOT)}: {target}"
        for path, text in documents.items()
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
        if not (path.parent / target).exists()
    ]
    assert not dead, "\n".join(dead)


def test_continuous_integration_runs_its_test_command() -> None:
    """`.ci/run` takes the command from the README, so there is exactly one to take."""
    (command,) = re.findall(r"<!-- test command -->\n```sh\n(.+)\n```", README)
    assert "pytest" in command
    assert "README.md" in (ROOT / ".ci" / "run").read_text("utf-8")
