"""Settings: flag before environment before file before default, and one clear line for whatever is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import ConfigError
from pychain.chain.address import encode_address
from pychain.daemon.settings import (
    CONFIG_FILE,
    EVERYWHERE,
    LOOPBACK,
    MAX_CONFIG_BYTES,
    Options,
    load_settings,
    load_spec,
    unknown_variables,
)
from tests.support.network import Network

NAMES = [field.name for field in msgspec.structs.fields(Options)]
KEY = bytes(range(32))


def write_config(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / CONFIG_FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- precedence


def test_each_layer_gives_way_to_the_one_before_it(tmp_path: Path) -> None:
    config = write_config(tmp_path, 'network = "race"\np2p_port = 1\napi_port = 1\nthreads = 1\n')
    environ = {"PYCHAIN_P2P_PORT": "2", "PYCHAIN_API_PORT": "2"}
    settings = load_settings({"p2p_port": 3, "api_port": None}, environ, config)
    assert (settings.p2p_port, settings.api_port, settings.options.threads) == (3, 2, 1)
    assert settings.spec.name == "race"
    assert settings.options.log_level == "info"


def test_the_config_file_is_found_by_flag_by_variable_and_in_the_data_directory(tmp_path: Path) -> None:
    write_config(tmp_path, "threads = 7\n")
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text("threads = 8\n")
    by_directory = load_settings({"datadir": str(tmp_path)}, {})
    by_variable = load_settings({"datadir": str(tmp_path)}, {"PYCHAIN_CONFIG": str(elsewhere)})
    by_flag = load_settings({"datadir": str(tmp_path)}, {"PYCHAIN_CONFIG": "nowhere"}, elsewhere)
    assert [each.options.threads for each in (by_directory, by_variable, by_flag)] == [7, 8, 8]


def test_a_data_directory_may_name_its_network_and_no_other_directory(tmp_path: Path) -> None:
    write_config(tmp_path, 'network = "dev"\n')
    assert load_settings({}, {"PYCHAIN_DATADIR": str(tmp_path)}).spec.name == "dev"
    path = write_config(tmp_path, f'datadir = "{tmp_path / "other"}"\n')
    assert load_settings({}, {}, path).datadir == tmp_path / "other"
    assert load_settings({"datadir": str(tmp_path)}, {}).datadir == tmp_path


def test_a_file_in_the_default_directory_cannot_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: tmp_path)
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / CONFIG_FILE).write_text('network = "race"\n')
    with pytest.raises(ConfigError, match="sets another data directory"):
        load_settings({}, {})
    assert load_settings({"network": "race"}, {}).datadir == tmp_path / "race"


# --- values


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: tmp_path)
    main, dev = load_settings({}, {}), load_settings({"network": "dev"}, {})
    assert main.datadir == tmp_path / "main"
    assert (main.p2p_port, main.api_port) == (30700, 30701)
    assert (main.listen, dev.listen) == (EVERYWHERE, LOOPBACK)
    assert (main.mempool.relay_fee, dev.mempool.relay_fee) == (1000, 0)
    assert (main.mine_to, main.connect, main.options.api_host) == (None, (), "127.0.0.1")


def test_text_of_the_environment_becomes_what_the_option_is(tmp_path: Path) -> None:
    environ = {
        "PYCHAIN_NETWORK": "dev",
        "PYCHAIN_DATADIR": str(tmp_path),
        "PYCHAIN_CONNECT": "127.0.0.1:1,[::1]:2,/dns4/node.example/tcp/3/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt",
        "PYCHAIN_CONNECT_ONLY": "true",
        "PYCHAIN_MINE": encode_address("dpyc", KEY),
        "PYCHAIN_MINE_INTERVAL_S": "1.5",
        "PYCHAIN_MIN_RELAY_FEE": "5",
        "PYCHAIN_MAX_MEMPOOL_BYTES": "2000000",
        "PYCHAIN_P2P_PORT": "0",
        "PYCHAIN_LISTEN": "",  # set to nothing is not set
    }
    settings = load_settings({}, environ)
    assert [str(each) for each in settings.connect] == [
        "/ip4/127.0.0.1/tcp/1",
        "/ip6/::1/tcp/2",
        "/dns4/node.example/tcp/3/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt",
    ]
    assert settings.options.connect_only
    assert settings.mine_to == KEY
    assert settings.options.mine_interval_s == 1.5
    assert (settings.mempool.relay_fee, settings.mempool.max_bytes) == (5, 2_000_000)
    assert settings.p2p_port == 0
    assert settings.listen == LOOPBACK


def test_an_empty_list_of_hosts_is_no_listening(tmp_path: Path) -> None:
    assert load_settings({"datadir": str(tmp_path), "listen": []}, {}).listen == ()


def test_a_peer_without_port_has_the_network_s(tmp_path: Path) -> None:
    settings = load_settings({"datadir": str(tmp_path), "connect": ["192.0.2.1"]}, {})
    assert [str(each) for each in settings.connect] == ["/ip4/192.0.2.1/tcp/30700"]


def test_a_network_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(Network(name="mine").toml())
    assert load_spec(str(path)).name == "mine"
    path.write_text("name = 3\n")
    with pytest.raises(ConfigError, match=f"{path}: "):
        load_spec(str(path))


def test_mistyped_variables_are_named() -> None:
    environ = {"PYCHAIN_DATDIR": "x", "PYCHAIN_DATADIR": "x", "PYCHAIN_KERNEL": "x", "PYCHAIN_CONFIG": "x", "PATH": "x"}
    assert unknown_variables(environ) == ["PYCHAIN_DATDIR"]


# --- refusals


@pytest.mark.parametrize(
    ("flags", "environ", "line"),
    [
        ({"network": "nope"}, {}, "network 'nope' is unknown"),
        ({"network": "nope.toml"}, {}, "there is no file nope.toml"),
        ({"p2p_port": 65536}, {}, "--p2p-port: Expected `int` <= 65535"),
        ({"bogus": 1}, {}, "--bogus is not a setting"),
        ({}, {"PYCHAIN_P2P_PORT": "x"}, "PYCHAIN_P2P_PORT: Expected `int | null`, got `str`"),
        ({}, {"PYCHAIN_CONNECT_ONLY": "maybe"}, "PYCHAIN_CONNECT_ONLY: "),
        ({}, {"PYCHAIN_LOG_LEVEL": "loud"}, "PYCHAIN_LOG_LEVEL: Invalid enum value 'loud'"),
        ({}, {"PYCHAIN_CONFIG": "/nowhere.toml"}, "there is no file /nowhere.toml"),
        ({"mine_interval_s": 1.0}, {}, "mine_interval_s is only for dev networks, and 'main' is not one"),
        ({"mine_interval_s": float("nan"), "network": "dev"}, {}, "--mine-interval-s: "),
        ({"connect": ["nobody:port"]}, {}, "connect: 'nobody:port' is not an address"),
        ({"mine": "somebody"}, {}, "mine: an address is"),
        ({"mine": encode_address("dpyc", KEY)}, {}, "mine: the address is of network prefix 'dpyc'"),
        ({"threads": -1}, {}, "--threads: Expected `int` >= 0"),
        ({"api_users": ["alone"]}, {}, "api_users: a user is name:salt"),
        ({"api_users": ["zoe:secret"]}, {}, "api_users: zoe: a password is stored as salt"),
        ({"api_users": [f"__cookie__:ab${'0' * 64}"]}, {}, "the name is not __cookie__"),
        ({"datadir": "a\0b"}, {}, "is not a path"),
    ],
)
def test_one_line_says_what_is_wrong_and_where(
    flags: dict[str, object], environ: dict[str, str], line: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"datadir": str(tmp_path), **flags}, environ)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("p2p_prot = 1\n", "p2p_prot is not a setting"),
        ('p2p_port = "1"\n', "p2p_port: Expected `int | null`, got `str`"),
        ("p2p_port = \n", "is not TOML"),
        ("[node]\np2p_port = 1\n", "node is not a setting"),
        ("a = " + "[" * 100_000, "is not TOML"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"#" * (MAX_CONFIG_BYTES + 1), "is larger than"),
    ],
)
def test_a_bad_file_is_named(text: str | bytes, line: str, tmp_path: Path) -> None:
    path = write_config(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings({}, {}, path)
    assert str(path) in str(caught.value)
    assert line in str(caught.value)


def test_a_directory_in_the_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings({}, {}, tmp_path)


# --- garbage

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["dev", "main", "0"])
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(), SCALARS, max_size=2)
FLAGS = st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES, max_size=4)
ENVIRON = st.dictionaries(st.sampled_from([f"PYCHAIN_{name.upper()}" for name in NAMES]), st.text(), max_size=3)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


def load_or_refuse(flags: dict[str, Any], environ: dict[str, str], config: Path | None) -> None:
    line = ""
    try:
        load_settings(flags, environ, config)
    except ConfigError as error:
        line = str(error)
    assert line.isprintable()


@given(flags=FLAGS, environ=ENVIRON)
def test_any_values_give_settings_or_one_line(place: Path, flags: dict[str, Any], environ: dict[str, str]) -> None:
    load_or_refuse({"datadir": str(place), **flags}, environ, None)


GOOD_FILE = """
network = "dev"
listen = ["127.0.0.1", "::1"]
p2p_port = 0
api_port = 0
connect = ["127.0.0.1:33700", "/ip4/192.0.2.1/tcp/5"]
mine_interval_s = 0.5
threads = 2
max_mempool_bytes = 5_000_000
log_level = "debug"
log_format = "json"
live = false
"""


def test_the_file_that_is_mutated_is_a_good_one(place: Path) -> None:
    settings = load_settings({}, {}, write_config(place, GOOD_FILE))
    assert settings.options.log_format == "json"
    assert len(settings.connect) == 2


@given(data=st.data())
def test_a_mutated_file_gives_settings_or_one_line(place: Path, data: st.DataObject) -> None:
    content = bytearray(GOOD_FILE.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["change", "insert", "delete"]))
        if kind == "delete":
            del content[at]
        elif kind == "insert":
            content.insert(at, data.draw(st.integers(0, 255)))
        else:
            content[at] = data.draw(st.integers(0, 255))
    load_or_refuse({}, {}, write_config(place, bytes(content)))


@given(content=st.binary(max_size=200))
def test_random_bytes_for_a_file_give_settings_or_one_line(place: Path, content: bytes) -> None:
    load_or_refuse({}, {}, write_config(place, content))
