"""The specification by itself: it imports nothing from the package, and agrees with docs/consensus.md."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.consensus.document_examples import BLOCK, MESSAGE, MINER, RECIPIENT, SENDER, TRANSFER
from tests.native.ed25519_vectors import EDGE_POINTS, ORDER, TAMING, EdgeCase
from tests.native.vectors import RFC_8032
from tests.specification import signatures
from tests.specification.blocks import judge_block
from tests.specification.hashing import merkle_levels, sha256d
from tests.specification.headers import Header, bits_of, target_of, work_of
from tests.specification.network import Network, read_network
from tests.specification.retarget import next_bits
from tests.specification.rules import RULES, BrokenRuleError
from tests.specification.state import apply_block, genesis_state, subsidy
from tests.support import network as tables
from tests.support import wire
from tests.support.document import Document

DOCUMENT = Document("consensus.md")
ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "tests" / "specification").glob("*.py"))
PACKAGED = ("main", "test", "race", "dev")
MAY_IMPORT = sys.stdlib_module_names - {"importlib", "runpy"}


def packaged(name: str) -> Network:
    return read_network((ROOT / "pychain" / "chain" / "networks" / f"{name}.toml").read_text("utf-8"))


def integer(text: str) -> int:
    return int(text.replace(",", ""), 0)


# --- independence


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            assert node.level == 0, "imports are absolute"
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_imports_the_standard_library_and_itself(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    for module in _imports(tree):
        assert module.startswith("tests.specification.") or module.split(".")[0] in MAY_IMPORT
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"__import__", "exec", "eval"}


# --- the document's tables and examples


def test_table_of_rules() -> None:
    rows = DOCUMENT.rows("Rules", "code", "level")
    assert [row[:3] for row in rows] == [[code, rule.level, rule.blame] for code, rule in RULES.items()]


def test_table_of_targets() -> None:
    for bits, target, work in DOCUMENT.rows("Target and work", "bits", "target"):
        if work:
            assert f"{target_of(integer(bits)):064x}" == target
            assert bits_of(int(target, 16)) == integer(bits)
            assert work_of(integer(bits)) == integer(work)
        else:
            with pytest.raises(BrokenRuleError, match="bad-bits-encoding"):
                target_of(integer(bits))


def test_table_of_merkle_nodes() -> None:
    levels = merkle_levels([sha256d(letter) for letter in (b"a", b"b", b"c")])
    shown = [bytes.fromhex(value) for _, value in DOCUMENT.rows("Merkle root", "node")]
    assert shown == [node for level in levels for node in level]


def test_table_of_subsidies() -> None:
    for height, amount in DOCUMENT.rows("Subsidy", "height on `main`"):
        assert subsidy(packaged("main"), integer(height)) == integer(amount)


def test_table_of_next_bits() -> None:
    """Each row states spacing, window or half-life, bits, and the times of some blocks; the others are not read."""
    for rule, story, expected in DOCUMENT.rows("Difficulty", "rule"):
        known = {name: int(value) for name, value in re.findall(r"(spacing|half-life|window) (\d+)", story)}
        bits = integer(re.findall(r"0x[0-9a-f]{8}", story)[0])
        first = int(re.findall(r"times of blocks (\d)", story)[0])
        times = [0] * first + [int(time) for time in story.rpartition(": ")[2].split(", ")]
        network = tables.Network(
            retarget=rule,
            retarget_params={"window": known["window"]} if "window" in known else {},
            spacing_s=known["spacing"],
            half_life_s=known.get("half-life", 1),
            genesis_bits=bits,
        )
        branch = [Header(b"", 1, b"", b"", time, bits, 0) for time in times]
        assert f"0x{next_bits(read_network(network.toml()), branch):08x}" == expected


def test_canonical_text_and_genesis_of_main() -> None:
    assert packaged("main").canonical_text() == DOCUMENT.block("Chain spec", "json").strip().encode()
    assert packaged("main").genesis == DOCUMENT.hex_bytes("Genesis")


def test_table_of_genesis_hashes() -> None:
    rows = DOCUMENT.rows("Genesis", "network", "genesis hash")
    assert rows == [[name, wire.shown(packaged(name).genesis_hash)] for name in PACKAGED]


def test_the_example_block_is_valid() -> None:
    network = packaged("dev")
    before = genesis_state(network)
    state = apply_block(network, before, judge_block(network, BLOCK))
    assert state.account(SENDER.key).balance == before.account(SENDER.key).balance - 150_001_000
    assert state.account(RECIPIENT.key).balance == before.account(RECIPIENT.key).balance + 150_000_000
    assert state.account(MINER.key) == before.account(MINER.key)  # whose reward matures with block 2


# --- signatures


def test_rfc_8032_vectors() -> None:
    assert all(signatures.is_valid(*vector) for vector in RFC_8032)
    assert signatures.is_valid(SENDER.key, MESSAGE, TRANSFER[-64:])


@pytest.mark.parametrize("case", TAMING, ids=lambda case: case.about)
def test_taming_the_many_eddsas(case: EdgeCase) -> None:
    assert signatures.is_valid(case.public_key, case.message, case.signature) is case.valid


def test_the_base_point() -> None:
    """RFC 8032 gives its x; L is its order."""
    x = 15112221349535400772501151409588531511454012693041857206046113283949847762202
    assert signatures.BASE[0] == x
    doubled = signatures.add(signatures.BASE, signatures.BASE)
    assert signatures.equal(signatures.multiply(ORDER - 1, doubled), signatures.multiply(ORDER - 2, signatures.BASE))
    assert not signatures.equal(signatures.BASE, doubled)


@pytest.mark.parametrize("encoding", EDGE_POINTS, ids=lambda encoding: encoding.hex())
def test_points_that_decompress_are_on_the_curve(encoding: bytes) -> None:
    point = signatures.decompress(encoding)
    if point is not None:
        x, y, _, _ = point
        p = 2**255 - 19
        assert (121666 * (y * y - x * x - 1) + 121665 * x * x * y * y) % p == 0
        assert y == int.from_bytes(encoding, "little") % 2**255 % p
