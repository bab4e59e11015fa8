"""Chain specs: the packaged networks, what genesis commits to, and which error refuses a bad spec."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from pychain.base.errors import ConfigError
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import MAX_SPEC_BYTES, PACKAGED_NETWORKS, packaged_spec, parse_spec
from pychain.chain.target import bits_from_target, target_from_bits
from tests.support import wire
from tests.support.builder import spec_of
from tests.support.network import Network, toml_text
from tests.support.strategies import bytes32, mutants, u32

GENESIS_HASHES = {
    "main": "6d6d02bfdb9d728bd765f0b9cd3ebb532c59fd413a8666b0bb2816b8cf5ef4bd",
    "test": "a340aff60905feb7888785505a6b64822f82f168e09916fba547e41a02067cba",
    "race": "96c148369457d8428039594b81b10e547f449baf3d4da7f2cfcca4f8ad402116",
    "dev": "6c5749cddf3dc01ef62850d0c8259d7a6aa0f880d9faa741058098e22aeff13f",
}
"""A network is its genesis hash: a change here is another network."""


def packaged_text(name: str) -> str:
    return files("pychain.chain").joinpath("networks", f"{name}.toml").read_text("utf-8")


def committed_fields(file: dict[str, Any]) -> dict[str, Any]:
    """What docs/consensus.md says of the committed fields, applied to a spec file as a TOML library reads it."""
    rules = {name: {"params": {}, **file[name]} for name in ("retarget", "fork_choice")}
    genesis = dict(file["genesis"])
    fields = {
        name: value
        for name, value in file.items()
        if name not in ("name", "node", "genesis", "retarget", "fork_choice")
    }
    return {
        "start_time": genesis["time"],
        **fields,
        **rules,
        "allocations": genesis.pop("allocations", []),
        "genesis": {"message": "", **genesis},
    }


# --- the packaged networks


def test_all_are_pinned() -> None:
    assert set(GENESIS_HASHES) == set(PACKAGED_NETWORKS)


@pytest.mark.parametrize("name", PACKAGED_NETWORKS)
def test_packaged_genesis(name: str) -> None:
    spec = packaged_spec(name)
    canonical = wire.canonical_text(committed_fields(tomllib.loads(packaged_text(name))))
    assert spec.name == name
    assert spec.canonical() == canonical
    assert spec.genesis.raw == wire.genesis_block(canonical, spec.genesis_time, spec.genesis_bits)
    assert hash_hex(spec.genesis_hash) == GENESIS_HASHES[name]


@pytest.mark.parametrize(
    ("name", "spacing_s", "half_life_s", "max_future_s", "retarget", "dev"),
    [
        ("main", 60, 43_200, 600, "asert", False),
        ("test", 10, 3600, 120, "asert", False),
        ("race", 1, 20, 10, "asert", False),
        ("dev", 10, 43_200, 7200, "fixed", True),
    ],
)
def test_packaged_rules(
    name: str, spacing_s: int, half_life_s: int, max_future_s: int, retarget: str, dev: bool
) -> None:
    spec = packaged_spec(name)
    assert (spec.spacing_s, spec.half_life_s, spec.max_future_s) == (spacing_s, half_life_s, max_future_s)
    assert (spec.retarget, spec.fork_choice, spec.dev) == (retarget, "most-work", dev)


def test_race_and_dev_can_be_mined_on_a_laptop() -> None:
    assert packaged_spec("race").genesis_bits == 0x1E020000
    assert packaged_spec("dev").genesis_bits == 0x207FFFFF
    assert packaged_spec("dev").maturity == 1


def test_networks_differ_in_prefix_and_ports() -> None:
    specs = [packaged_spec(name) for name in PACKAGED_NETWORKS]
    assert len({spec.hrp for spec in specs}) == len(specs)
    assert len({port for spec in specs for port in (spec.p2p_port, spec.api_port)}) == 2 * len(specs)


def test_funded_keys_of_dev() -> None:
    seeds = [sha256(b"pychain/dev/" + str(number).encode()).digest() for number in range(10)]
    keys = [key for key, _ in packaged_spec("dev").allocations]
    assert keys == [SigningKey(seed).verify_key.encode() for seed in seeds]


def test_unknown_network() -> None:
    with pytest.raises(ConfigError, match="network 'mian' is unknown; there are main, test, race, dev"):
        packaged_spec("mian")


# --- what genesis commits to

rule_names = st.text(alphabet="abcxyz019._-", min_size=1, max_size=12)
parameters = st.dictionaries(rule_names, st.integers(-(2**53), 2**53), max_size=3)
scalar_text = st.text(st.characters(codec="utf-8"), max_size=40)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Any spec that a file may hold; its rules need not exist."""
    positive, u31 = st.integers(1, 2**31 - 1), st.integers(0, 2**31 - 1)
    pow_limit = draw(st.integers(1, 2**256 - 1))
    bits = bits_from_target(draw(st.integers(1, target_from_bits(bits_from_target(pow_limit)))))
    halving_interval = draw(u31)
    keys = draw(st.lists(bytes32, max_size=3, unique=True))
    return Network(
        hrp=draw(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=16)),
        spacing_s=draw(positive),
        half_life_s=draw(positive),
        start_time=draw(u32),
        pow_limit=pow_limit,
        retarget=draw(rule_names.filter(lambda name: name != "asert")),
        retarget_params=draw(parameters),
        fork_choice=draw(rule_names),
        fork_choice_params=draw(parameters),
        initial_subsidy=draw(st.integers(0, 2**63 - 1)) if halving_interval else 0,
        halving_interval=halving_interval,
        maturity=draw(u31),
        max_block_bytes=draw(st.integers(229, 64_000_000)),
        max_future_s=draw(positive),
        genesis_time=draw(u32),
        genesis_bits=bits,
        genesis_message=draw(scalar_text),
        allocations=tuple((key, draw(st.integers(0, 2**63 - 1))) for key in keys),
    )


@given(networks())
def test_canonical_text_is_what_the_document_says(network: Network) -> None:
    spec = spec_of(network)
    assert spec.canonical() == network.canonical
    assert spec.genesis.raw == network.genesis
    assert spec.genesis_hash == network.genesis_hash


@given(networks(), st.data())
def test_order_of_a_file_does_not_matter(network: Network, data: st.DataObject) -> None:
    file = tomllib.loads(network.toml())
    shuffled = {name: file[name] for name in data.draw(st.permutations(sorted(file)))}
    assert parse_spec(toml_text(shuffled)).canonical() == network.canonical


PLAIN = Network(allocations=((b"\x01" * 32, 5),))
COMMITTED_CHANGES: list[dict[str, Any]] = [
    {"hrp": "other"},
    {"spacing_s": 11},
    {"half_life_s": 7201},
    {"start_time": PLAIN.start_time + 1},
    {"pow_limit": 2**255 - 2},
    {"retarget": "asert"},
    {"retarget_params": {"window": 5}},
    {"fork_choice": "longest"},
    {"fork_choice_params": {"depth": 5}},
    {"initial_subsidy": 1},
    {"halving_interval": 1001},
    {"maturity": 2},
    {"max_block_bytes": 100_001},
    {"max_future_s": 7201},
    {"genesis_time": PLAIN.genesis_time + 1},
    {"genesis_bits": 0x207FFFFE},
    {"genesis_message": "another"},
    {"allocations": ()},
    {"allocations": ((b"\x01" * 32, 6),)},
    {"allocations": ((b"\x02" * 32, 5),)},
]


@pytest.mark.parametrize("change", COMMITTED_CHANGES, ids=",".join)
def test_every_rule_changes_genesis(change: dict[str, Any]) -> None:
    assert spec_of(replace(PLAIN, **change)).genesis_hash != spec_of(PLAIN).genesis_hash


def test_advice_to_nodes_does_not() -> None:
    file = tomllib.loads(PLAIN.toml())
    file["name"] = "another-name"
    file["node"] = {
        "p2p_port": 1,
        "api_port": 2,
        "seeds": ["seed.example"],
        "min_chain_work": f"{77:064x}",
        "dev": True,
    }
    spec = parse_spec(toml_text(file))
    assert spec.genesis_hash == PLAIN.genesis_hash
    assert (spec.p2p_port, spec.api_port, spec.seeds, spec.dev) == (1, 2, ("seed.example",), True)
    assert spec.min_chain_work == 77


def test_allocations_keep_the_order_of_the_file() -> None:
    one, other = (b"\x01" * 32, 5), (b"\x02" * 32, 6)
    forth = spec_of(replace(PLAIN, allocations=(one, other)))
    back = spec_of(replace(PLAIN, allocations=(other, one)))
    assert forth.allocations == (one, other)
    assert forth.genesis_hash != back.genesis_hash


def test_start_time_is_genesis_time_where_it_is_not_said() -> None:
    file = tomllib.loads(PLAIN.toml())
    del file["start_time"]
    assert parse_spec(toml_text(file)).start_time == PLAIN.genesis_time


# --- what is refused

REFUSED: list[tuple[str, Any, str]] = [
    # path in the file, value (None removes it), what the line says
    ("name", None, "missing required field `name`"),
    ("name", "Main", "at `$.name`"),
    ("name", "", "at `$.name`"),
    ("name", "main\n", "at `$.name`"),
    ("name", "a" * 33, "at `$.name`"),
    ("name", "../up", "at `$.name`"),
    ("hrp", "Pyc", "at `$.hrp`"),
    ("hrp", "pyc1", "at `$.hrp`"),
    ("hrp", "pyc\n", "at `$.hrp`"),
    ("hrp", "a" * 17, "at `$.hrp`"),
    ("spacing_s", 0, "at `$.spacing_s`"),
    ("spacing_s", -1, "at `$.spacing_s`"),
    ("spacing_s", "ten", "Expected `int`, got `str` - at `$.spacing_s`"),
    ("spacing_s", True, "at `$.spacing_s`"),
    ("spacing_s", 2**31, "at `$.spacing_s`"),
    ("half_life_s", 0, "at `$.half_life_s`"),
    ("start_time", 2**32, "at `$.start_time`"),
    ("start_time", -1, "at `$.start_time`"),
    ("pow_limit", "ff", "at `$.pow_limit`"),
    ("pow_limit", "F" * 64, "at `$.pow_limit`"),
    ("pow_limit", "0" * 63 + "\n", "at `$.pow_limit`"),
    ("pow_limit", "f" * 64 + "\n", "at `$.pow_limit`"),
    ("pow_limit", "0" * 64, "pow_limit must be 1 to 2^256 - 1"),
    ("pow_limit", "00" + "f" * 62, "genesis.bits 0x207fffff allow a target above pow_limit"),
    ("initial_subsidy", -1, "at `$.initial_subsidy`"),
    ("initial_subsidy", 2**63, "at `$.initial_subsidy`"),
    ("halving_interval", 0, "halving_interval 0 needs initial_subsidy 0"),
    ("halving_interval", -1, "at `$.halving_interval`"),
    ("maturity", -1, "at `$.maturity`"),
    ("max_block_bytes", 228, "at `$.max_block_bytes`"),
    ("max_block_bytes", 64_000_001, "at `$.max_block_bytes`"),
    ("max_future_s", 0, "at `$.max_future_s`"),
    ("retarget.rule", None, "missing required field `rule` - at `$.retarget`"),
    ("retarget.rule", "", "at `$.retarget.rule`"),
    ("retarget.rule", "asert\n", "at `$.retarget.rule`"),
    ("retarget.rule", "a" * 65, "at `$.retarget.rule`"),
    ("retarget.params", {"window": 2**53 + 1}, "at `$.retarget.params[...]`"),
    ("retarget.params", {"window": "2016"}, "at `$.retarget.params[...]`"),
    ("retarget.params", {"Window": 2016}, "at `key` in `$.retarget.params`"),
    ("retarget.window", 2016, "unknown field `window` - at `$.retarget`"),
    ("fork_choice", None, "missing required field `fork_choice`"),
    ("fork_choice.rule", 5, "at `$.fork_choice.rule`"),
    ("genesis", None, "missing required field `genesis`"),
    ("genesis.time", -1, "at `$.genesis.time`"),
    ("genesis.bits", 0, "genesis.bits 0x00000000 encode a zero target"),
    ("genesis.bits", 0x04923456, "genesis.bits 0x04923456 encode a negative target"),
    ("genesis.bits", 0xFF123456, "genesis.bits 0xff123456 encode a target over 256 bits"),
    ("genesis.bits", 0x2000007F, "genesis.bits 0x2000007f are not the canonical encoding"),
    ("genesis.bits", 0x01123456, "genesis.bits 0x01123456 are not the canonical encoding"),
    ("genesis.bits", 2**32, "at `$.genesis.bits`"),
    ("genesis.message", "m" * 1001, "at `$.genesis.message`"),
    ("genesis.message", 5, "at `$.genesis.message`"),
    ("genesis.allocations", [{"key": "01" * 32, "amount": 1}] * 2, "genesis.allocations name an account twice"),
    ("genesis.allocations", [{"key": "01" * 31, "amount": 1}], "at `$.genesis.allocations[0].key`"),
    ("genesis.allocations", [{"key": "AB" * 32, "amount": 1}], "at `$.genesis.allocations[0].key`"),
    ("genesis.allocations", [{"key": "01" * 32, "amount": -1}], "at `$.genesis.allocations[0].amount`"),
    ("genesis.allocations", [{"key": "01" * 32, "amount": 2**63}], "at `$.genesis.allocations[0].amount`"),
    ("genesis.allocations", [{"key": "01" * 32}], "missing required field `amount`"),
    ("genesis.allocations", [{"key": "01" * 32, "amount": 1, "label": "x"}], "unknown field `label`"),
    ("spacing", 10, "unknown field `spacing`"),
    ("line\nbreak", 10, "unknown field `line\\nbreak`"),
    ("node", {"p2p_port": 65_536}, "at `$.node.p2p_port`"),
    ("node", {"seeds": ["s" * 301]}, "at `$.node.seeds[0]`"),
    ("node", {"min_chain_work": "1"}, "at `$.node.min_chain_work`"),
    ("node", {"dev": 1}, "at `$.node.dev`"),
    ("node", {"port": 1}, "unknown field `port` - at `$.node`"),
]


def edited(path: str, value: Any) -> str:
    """The plain spec's file with one value added or removed."""
    file = tomllib.loads(PLAIN.toml())
    *tables, name = path.split(".")
    table = file
    for step in tables:
        table = table[step]
    if value is None:
        del table[name]
    else:
        table[name] = value
    return toml_text(file)


@pytest.mark.parametrize(("path", "value", "line"), REFUSED)
def test_refusals(path: str, value: Any, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_spec(edited(path, value))
    assert line in str(refused.value)
    assert str(refused.value).isprintable()
    assert str(refused.value).startswith("chain spec 'story': " if "$" not in line and "field" not in line else "the ")


def test_asert_bounds_the_future_by_its_half_life() -> None:
    allowed = replace(PLAIN, retarget="asert", half_life_s=600, max_future_s=600)
    assert spec_of(allowed).max_future_s == 600
    with pytest.raises(ConfigError, match="max_future_s 601 is over half_life_s 600: under asert, dating blocks ahead"):
        spec_of(replace(allowed, max_future_s=601))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "missing required field"),
        ("spacing_s = ", "is not TOML: Invalid value"),
        ("spacing_s = 1\nspacing_s = 2", "is not TOML: Cannot overwrite a value"),
        ("spacing_s = " + "9" * 5000, "is not TOML"),
        ("a = " + "[" * 100_000, "is not TOML"),
        ("\x00", "is not TOML"),
        ("#" * (MAX_SPEC_BYTES + 1), f"at most {MAX_SPEC_BYTES} characters"),
    ],
)
def test_what_is_no_spec_at_all(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_spec(text)
    assert line in str(refused.value)
    assert str(refused.value).isprintable()


PLAIN_FILE = PLAIN.toml().encode()


@given(
    mutants(st.just(PLAIN_FILE)) | mutants(st.sampled_from([packaged_text(name).encode() for name in ("main", "race")]))
)
def test_mutated_files(data: bytes) -> None:
    """A damaged file yields a spec with its genesis, or one line of error."""
    try:
        spec = parse_spec(data.decode("utf-8", errors="replace"))
    except ConfigError:
        return
    assert len(spec.genesis_hash) == 32


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_spec(text)
