"""The architecture, enforced: which package may import which, and what the core may never touch (docs/architecture.md).

Everything is read from the source's syntax trees; nothing is imported.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pychain"

_DATA = {"native", "base"}
_RULES = {"chain"} | _DATA
_SIBLINGS = {"consensus"} | _RULES
_CORE = {"p2p", "ledger", "wallet"} | _SIBLINGS
_PROTOCOLS = {"node", "stratum"} | _CORE
_RUNTIME = {"api"} | _PROTOCOLS

MAY_IMPORT = {
    "native": set(),
    "base": {"native"},
    "chain": _DATA,
    "consensus": _RULES,
    "p2p": _SIBLINGS,
    "ledger": _SIBLINGS,
    "wallet": _SIBLINGS,
    "stamps": _SIBLINGS,
    "node": _CORE,
    "stratum": {"ledger", "wallet"} | _SIBLINGS,
    "api": {"http"} | _PROTOCOLS,
    "system": {"base"},
    "plugins": {"base"},
    "store": {"ledger"} | _SIBLINGS,
    "http": {"base"},
    "keystore": {"system", "wallet"} | _RULES,
    "miner": {"stratum"} | _RULES,
    "client": {"base"},
    "daemon": {"store", "http", "miner", "system", "plugins"} | _RUNTIME,
    "sim": {"http"} | _RUNTIME,
    "devnet": {"client"} | _RUNTIME,
    "cli": {"client", "http", "daemon", "miner", "sim", "devnet", "stamps", "keystore", "system", "store", "plugins"}
    | _RUNTIME,
}
"""Package -> the packages that it may import. `devnet` starts daemons as processes, so it imports none."""

WITH_IO = {"plugins", "daemon", "devnet", "client", "miner", "cli", "store", "http", "keystore", "system"}
"""Packages that may touch the operating system."""

BANNED_IN_THE_CORE = {
    "asyncio",
    "time",
    "random",
    "secrets",
    "os",
    "socket",
    "threading",
    "lmdb",
    "concurrent",
    "multiprocessing",
    "subprocess",
    "select",
    "selectors",
    "signal",
    "ssl",
    "datetime",
    "uuid",
    "tempfile",
    "shutil",
    "pathlib",
    "uvloop",
    "aiohttp",
    "queue",
}
"""Clock, entropy, I/O and threads come to the core as arguments and leave it as effects."""

EXEMPT = {("native/__init__.py", "os")}
"""PYCHAIN_KERNEL is read there, once."""

PURE_MODULES = {
    "api": {"http": {"message"}},
    "sim": {"http": {"assets", "message", "routes"}},
}
"""Package -> a package that does I/O -> those of its modules that the first may import, as they do no I/O: data, a
table of routes, the files of an installed package."""

ORDER: dict[str, tuple[str, ...]] = {
    "chain": (
        "hashes merkle target",
        "header transaction",
        "address block",
        "genesis",
        "spec",
    ),
    "consensus": (
        "branch fork_choice rules subsidy",
        "retarget structure",
        "rulebook semantic",
        "contextual state",
    ),
    "ledger": (
        "hash_table known parties pending store",
        "ends feerates memory_store overlay packed stored_index",
        "entry mempool",
        "presync template tree waiting",
        "reorg",
    ),
    "p2p": (
        "draws header_states limits saved timers",
        "framing messages netaddress",
        "buckets endpoint states",
        "channel wire",
        "peer",
        "address_relay eviction manager sources",
        "addresses fees handshake header_sync misbehaviour ping relay requests",
        "slots sync",
    ),
    "node": (
        "arrivals config events outcomes requests returning",
        "effects headers inputs",
        "outbox",
        "bodies commits peers transfers",
        "activation peer_protocol seeds serving tables",
        "block_requests view",
        "gossip mining",
        "queries request_handlers",
        "assembly",
        "node",
    ),
    "api": (
        "errors explorer forecast meters runtime schema types",
        "blockstats hub method",
        "backend describe endpoint jsonrpc schemas",
        "fees openrpc render search verify views waiting",
        "contents dev events",
        "context openapi",
        "methods",
        "metrics rest",
        "site",
    ),
    "store": (
        "cache errors places",
        "block_files environment",
        "records schema",
        "history members pruning",
        "memtable",
        "journal state",
        "sweep writing",
        "lmdb_store",
    ),
    "http": (
        "guard limiter message",
        "assets render routes",
        "connection router",
        "server",
    ),
    "daemon": (
        (
            "chain_file clock committer connection datadir identity interpreter listeners log loop pruner rlimit "
            "settings watchdog"
        ),
        "chain_export driver live miner resolver stratum transport web workers",
        "engine",
        "backend chain_import",
        "daemon",
    ),
    "sim": (
        "directory entropy events participants",
        "coroutines disk network served",
        "backend",
        "server",
        "api",
        "host",
        "checkers chronicle driven",
        "world",
        "stage",
        "scenario",
        "play scenarios",
        "record registries",
    ),
    "devnet": (
        "errors identity keys observer topology",
        "links processes traffic view",
        "record relay watch",
        "control",
        "directory",
        "network",
        "audit load status",
        "session",
    ),
}
"""The layers inside the larger packages, lowest first: a module (or folder) imports only from layers below its own."""

COMPILED_MODULE = "pychain.native._core"


def sources(package: str | None = None) -> Iterator[Path]:
    base = PACKAGE / package if package else PACKAGE
    yield from sorted(base.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, in full, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages() -> list[str]:
    return sorted(path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py")))


def test_every_package_is_in_the_table() -> None:
    assert set(packages()) <= set(MAY_IMPORT)


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_point_down(package: str) -> None:
    wrong = []
    for path in sources(package):
        for module in imports(path):
            parts = module.split(".")
            if parts[0] == "pychain" and len(parts) > 1 and (PACKAGE / parts[1]).is_dir():
                if parts[1] != package and parts[1] not in MAY_IMPORT[package]:
                    wrong.append(f"{path.relative_to(ROOT)} imports {module}")
            elif parts[0] == "tests":
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong, "\n".join(wrong)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_imported(path: Path, known: Collection[str]) -> set[str]:
    """The modules of the package that a file imports, wherever in the file and for whatever purpose."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in known else node.module for name in names}
    return (found & set(known)) - {module_name(path)}


def unit_of(module: str) -> str:
    """The module or folder of a package that a module is in."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 else "__init__"


@pytest.mark.parametrize("package", sorted(ORDER))
def test_imports_inside_a_package_point_down(package: str) -> None:
    level = {unit: number for number, layer in enumerate(ORDER[package]) for unit in layer.split()}
    known = [module_name(path) for path in sources()]
    units = {unit_of(module_name(path)) for path in sources(package)} - {"__init__", "__main__"}
    assert units == set(level), "every module has its place in ORDER"
    wrong = []
    for path in sources(package):
        unit = unit_of(module_name(path))
        for module in sorted(modules_imported(path, known)):
            other = unit_of(module)
            is_inside = module.startswith(f"pychain.{package}.") and other != unit
            if is_inside and unit in level and level[other] >= level[unit]:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Neither directly nor through others: not for types, and not inside functions."""
    known = {module_name(path): path for path in sources()}
    left = {module: modules_imported(path, known) for module, path in known.items()}
    while ends := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in ends:
            del left[module]
    assert not left, f"in circles, or importing one: {sorted(left)}"


@pytest.mark.parametrize("package", sorted(set(MAY_IMPORT) - WITH_IO))
def test_the_core_does_no_io(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources(package)
        for module in imports(path)
        if module.split(".")[0] in BANNED_IN_THE_CORE
        and (str(path.relative_to(PACKAGE)), module.split(".")[0]) not in EXEMPT
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", sorted(PURE_MODULES))
def test_only_pure_modules_of_packages_with_io_are_imported(package: str) -> None:
    allowed = {
        f"pychain.{other}.{module}": PACKAGE / other / f"{module}.py"
        for other, modules in PURE_MODULES[package].items()
        for module in modules
    }
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources(package)
        for module in imports(path)
        for other in PURE_MODULES[package]
        if module.startswith(f"pychain.{other}") and module.rpartition(".")[0] not in allowed and module not in allowed
    ]
    wrong += [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in allowed.values()
        for module in imports(path)
        if module.split(".")[0] in BANNED_IN_THE_CORE
    ]
    assert not wrong, "\n".join(wrong)


def test_only_native_imports_the_compiled_module() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}"
        for path in sources()
        for module in imports(path)
        if module.startswith(COMPILED_MODULE) and path.parent.name != "native"
    ]
    assert not wrong


def test_the_core_never_opens_files() -> None:
    wrong = []
    for package in sorted(set(MAY_IMPORT) - WITH_IO):
        for path in sources(package):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in {"open", "input", "print"}
                ):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.id}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", sorted(set(MAY_IMPORT) - WITH_IO))
def test_no_set_is_iterated_in_the_core(package: str) -> None:
    """A set's order differs between hash seeds. What can be seen in the syntax: loops over set displays, set calls and
    set comprehensions, and over names that the file binds to them."""
    wrong = []
    for path in sources(package):
        tree = ast.parse(path.read_text("utf-8"))
        names = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and is_set(node.value, frozenset())
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            loops = [node.iter] if isinstance(node, (ast.For, ast.comprehension)) else []
            wrong += [f"{path.relative_to(ROOT)}:{loop.lineno}" for loop in loops if is_set(loop, frozenset(names))]
    assert not wrong, "\n".join(wrong)


def is_set(node: ast.expr, names: frozenset[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"set", "frozenset"}
    return called or isinstance(node, (ast.Set, ast.SetComp))


def test_no_module_level_mutable_state_in_the_core() -> None:
    """Two nodes of one process must never share a table by accident: no empty container is bound at module level."""
    wrong = []
    for package in sorted(set(MAY_IMPORT) - WITH_IO - {"native"}):
        for path in sources(package):
            for node in ast.parse(path.read_text("utf-8")).body:
                value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
                empty = value is not None and ast.unparse(value) in ("{}", "[]")
                call = (
                    isinstance(value, ast.Call)
                    and isinstance(value.func, ast.Name)
                    and value.func.id in {"dict", "list", "set"}
                )
                if empty or (call and isinstance(value, ast.Call) and not value.args):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT)) for path in sources() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent, "\n".join(silent)


def test_files_and_functions_stay_small() -> None:
    """A file that passes 500 lines or a function that passes 70 wants a second look: split it."""
    large = []
    for path in sources():
        text = path.read_text("utf-8")
        if text.count("\n") > 500:
            large.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 70:
                    large.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines")
    assert not large, "\n".join(large)


def test_the_daemon_is_a_thin_shell() -> None:
    """Less than a tenth of all lines: what could live without sockets and a disk of its own lives elsewhere."""
    daemon, everything = (
        sum(path.read_text("utf-8").count("\n") for path in sources(package)) for package in ("daemon", None)
    )
    assert daemon * 10 < everything


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of a developer's machine stands in anything that is shipped."""
    pattern = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/")
    wrong = []
    for folder in ("pychain", "csrc", "docs", "bench", "examples", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".c", ".h", ".md", ".toml"} and path != Path(__file__):
                for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                    if pattern.search(line):
                        wrong.append(f"{path.relative_to(ROOT)}:{number}")
    assert not wrong, "\n".join(wrong)


def test_the_oldest_python_can_read_it() -> None:
    """Python 3.11 is promised: nothing newer in the syntax."""
    for path in sources():
        ast.parse(path.read_text("utf-8"), feature_version=(3, 11))
    assert sys.version_info >= (3, 11)
