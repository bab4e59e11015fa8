"""Settings: the operator's choices, from flags, the environment, `pychain.toml` and defaults, in this order.

`load_settings` is the entry point. Any mistake raises `ConfigError` with one line that names the source of the value.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs

from pychain.base.errors import ConfigError, DecodeError
from pychain.base.time import NS
from pychain.chain.address import decode_address
from pychain.chain.spec import MAX_SPEC_BYTES, PACKAGED_NETWORKS, ChainSpec, packaged_spec, parse_spec
from pychain.consensus.fork_choice import FORK_CHOICE_RULES
from pychain.consensus.retarget import RETARGET_RULES
from pychain.consensus.rulebook import Rulebook
from pychain.http.guard import Credential, parse_credential
from pychain.ledger.mempool import DEFAULT_MAX_BYTES, DEFAULT_RELAY_FEE, MempoolLimits
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.limits import PING_INTERVAL_NS
from pychain.p2p.netaddress import AddressError, NetAddress

APP_NAME = "pychain"
CONFIG_FILE = "pychain.toml"
MAX_CONFIG_BYTES = 1_000_000
"""A larger file is refused before it is parsed."""
ENVIRONMENT_PREFIX = "PYCHAIN_"
OTHER_VARIABLES = frozenset({"PYCHAIN_CONFIG", "PYCHAIN_KERNEL", "PYCHAIN_PASSWORD"})
"""Variables of the project that are not settings of a node."""
LOOPBACK = ("127.0.0.1",)
EVERYWHERE = ("0.0.0.0", "::")
"""All interfaces, in both families."""
MAX_THREADS = 1024
COOKIE_USER = "__cookie__"
"""The user of the data directory's `.cookie`, as in Core."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Texts = Annotated[list[Text], msgspec.Meta(max_length=256)]
Threads = Annotated[int, msgspec.Meta(ge=1, le=MAX_THREADS)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options as written, under their names in `pychain.toml`; in the environment they are in capitals after
    `PYCHAIN_`, with lists separated by commas, and on the command line they have hyphens."""

    network: Text = "main"
    """A packaged network's name, or the path of a chain spec."""
    plugins: Texts = []
    """Files with rules that the network's spec names, `FILE.py` or `FILE.py:NAME`. They are executed."""
    datadir: Text | None = None
    """Default: the user's data directory (platformdirs), and in it one for each network."""
    listen: Texts | None = None
    """Hosts to listen on for peers; an empty list for none. Default: all interfaces, on dev networks only loopback."""
    p2p_port: Port | None = None
    """0 is any free port. Default: the network's."""
    api_host: Text = "127.0.0.1"
    api_port: Port | None = None
    """As `p2p_port`."""
    api_allowed_hosts: Texts = []
    """Names, besides loopback's, that are allowed in the Host header of requests to the API."""
    api_users: Texts = []
    """`name:salt$hmac` of users of the API besides the cookie; `pychain rpc-auth NAME` writes such lines."""
    api_open_reads: bool = True
    """Whether reads by GET (REST, events, metrics, explorer) need no password; calls always need one."""
    api_rate_limit: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 200
    """Requests per second allowed per remote address, 0 for no limit; loopback is not counted."""
    stratum_port: Port | None = None
    """Port for miners; 0 is any free port. Default: no Stratum server."""
    stratum_host: Text = "127.0.0.1"
    """Host that the Stratum server listens on."""
    connect: Texts = []
    """Manual peers, `host:port` or multiaddr."""
    connect_only: bool = False
    """Dial only the peers in `connect` and those that `addnode` adds later."""
    ping_interval_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = PING_INTERVAL_NS / NS
    """Mean seconds between two pings of a peer."""
    mine: Text | None = None
    """The address to mine to; without one the node does not mine."""
    mine_interval_s: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0
    """On dev networks: mean seconds between mined blocks."""
    threads: Annotated[int, msgspec.Meta(ge=0, le=MAX_THREADS)] = 1
    """Mining threads; with 0, external programs that request templates mine to `mine`."""
    verify_threads: Threads | None = None
    """Threads that verify blocks and signatures. Default: one fewer than there are cores."""
    cache_mb: Annotated[int, msgspec.Meta(ge=1, le=2**20)] = 256
    """Megabytes (2^20 bytes) for state changes not yet flushed to the disk's tables, and for cached accounts. More
    makes a sync with millions of accounts faster."""
    prune_mb: Annotated[int, msgspec.Meta(ge=0, le=2**30)] = 0
    """Megabytes of block files to keep, and always the last 288 blocks; 0 for all. Pruned blocks cannot be served,
    shown or disconnected."""
    max_mempool_bytes: Annotated[int, msgspec.Meta(ge=1_000_000, le=2**40)] = DEFAULT_MAX_BYTES
    min_relay_fee: Annotated[int, msgspec.Meta(ge=0, le=10**12)] | None = None
    """Base units per 1,000 bytes. Default: 1,000, on dev networks 0."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    live: bool = True
    """On a terminal, show the live view and write the log to the data directory; otherwise print the log."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, checked and resolved for one network. `listen` and `connect` are in the transport's form;
    `mine_to` is a public key."""

    options: Options
    spec: ChainSpec
    datadir: Path
    listen: tuple[str, ...]
    p2p_port: int
    api_port: int
    connect: tuple[Endpoint, ...]
    seeds: tuple[NetAddress, ...]
    mine_to: bytes | None
    mempool: MempoolLimits
    api_users: Mapping[str, Credential]

    def load_rulebook(self) -> Rulebook:
        """The network's rules. ConfigError if one is not built in, installed or in a file of `plugins`, or if such a
        file is broken. The files are executed here, so that this happens only if the rules are needed."""
        if not self.options.plugins:
            return Rulebook(self.spec)
        from pychain.plugins import load_plugins  # few nodes have any: the others start faster without it

        return Rulebook(self.spec, load_plugins(self.options.plugins, RETARGET_RULES, FORK_CHOICE_RULES))


_TYPES: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(Options)}


def load_settings(
    flags: Mapping[str, object] | None = None, environ: Mapping[str, str] = os.environ, config: Path | None = None
) -> Settings:
    """The settings of one node. `flags` are values from the command line by option name, None for not given;
    `config` is the file to read, else PYCHAIN_CONFIG's, else `pychain.toml` in the data directory if there is one."""
    chosen = {**_from_environment(environ), **_from_flags(flags or {})}
    if config is None and environ.get("PYCHAIN_CONFIG"):
        config = Path(environ["PYCHAIN_CONFIG"])
    if config is not None:
        return resolve(Options(**{**_from_file(config, required=True), **chosen}))
    place = resolve(Options(**chosen)).datadir
    settings = resolve(Options(**{**_from_file(place / CONFIG_FILE, required=False), **chosen}))
    if settings.datadir != place:
        raise ConfigError(
            f"{place / CONFIG_FILE} sets another data directory, {settings.datadir}: use the flag for that"
        )
    return settings


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that look like settings but are not: probably mistyped."""
    known = OTHER_VARIABLES.union(_variable(name) for name in _TYPES)
    return sorted(name for name in environ if name.startswith(ENVIRONMENT_PREFIX) and name not in known)


def resolve(options: Options) -> Settings:
    """Look the network up and check each option against it and the others."""
    spec = load_spec(options.network)
    if options.mine_interval_s and not spec.dev:
        raise ConfigError(f"mine_interval_s is only for dev networks, and '{spec.name}' is not one")
    listen = options.listen
    if listen is None:
        listen = list(LOOPBACK if spec.dev else EVERYWHERE)
    relay_fee = options.min_relay_fee
    if relay_fee is None:
        relay_fee = 0 if spec.dev else DEFAULT_RELAY_FEE
    return Settings(
        options=options,
        spec=spec,
        datadir=_datadir(options.datadir, spec.name),
        listen=tuple(listen),
        p2p_port=spec.p2p_port if options.p2p_port is None else options.p2p_port,
        api_port=spec.api_port if options.api_port is None else options.api_port,
        connect=tuple(_endpoint("connect", text, spec) for text in options.connect),
        seeds=tuple(_endpoint("the chain spec's seeds", text, spec).address for text in spec.seeds),
        mine_to=None if options.mine is None else _recipient(spec, options.mine),
        mempool=MempoolLimits(max_bytes=options.max_mempool_bytes, relay_fee=relay_fee),
        api_users=_users(options.api_users),
    )


def load_spec(network: str) -> ChainSpec:
    """The chain spec of a packaged network, or of a file if `network` looks like a path."""
    if network in PACKAGED_NETWORKS or not ("/" in network or network.endswith(".toml")):
        return packaged_spec(network)
    text = _read_text(Path(network), MAX_SPEC_BYTES, required=True)
    try:
        return parse_spec(text)
    except ConfigError as error:
        raise ConfigError(f"{network}: {error}") from None


# --- sources of values


def _from_flags(flags: Mapping[str, object]) -> dict[str, Any]:
    return {
        name: _convert(name, value, "--" + name.replace("_", "-"), strict=True)
        for name, value in flags.items()
        if value is not None
    }


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings in variables that are not empty; text is converted to the option's type."""
    values = {}
    for name in _TYPES:
        variable = _variable(name)
        if text := environ.get(variable):
            value: object = text.split(",") if _TYPES[name] in (Texts, Texts | None) else text
            values[name] = _convert(name, value, variable, strict=False)
    return values


def _from_file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        table = tomllib.loads(_read_text(path, MAX_CONFIG_BYTES, required=required))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    return {name: _convert(name, value, f"{path}: {name}", strict=True) for name, value in table.items()}


def _convert(name: str, value: object, label: str, *, strict: bool) -> Any:
    if name not in _TYPES:
        raise ConfigError(f"{label} is not a setting")
    try:
        return msgspec.convert(value, _TYPES[name], strict=strict)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{label}: {error}") from None


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()


def _read_text(path: Path, max_bytes: int, *, required: bool) -> str:
    """The text of a small UTF-8 file; empty if it is missing and not required."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise ConfigError(f"{path} is larger than {max_bytes} bytes")
        return content.decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if not required:
            return ""
        raise ConfigError(f"there is no file {path}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except ValueError as error:  # a NUL in the path
        raise ConfigError(f"{str(path)!r} is not a path: {error}") from None


# --- meanings of values


def _datadir(chosen: str | None, network: str) -> Path:
    if chosen is None:
        return platformdirs.user_data_path(APP_NAME, appauthor=False) / network
    try:
        return Path(chosen).expanduser().absolute()
    except (RuntimeError, ValueError, OSError) as error:
        raise ConfigError(f"datadir {chosen!r} is not a path: {error}") from None


def _users(lines: list[str]) -> dict[str, Credential]:
    users = {}
    for text in lines:
        name, colon, kept = text.partition(":")
        if not colon or not name or name == COOKIE_USER:
            raise ConfigError(f"api_users: a user is name:salt$hmac, and the name is not {COOKIE_USER}")
        try:
            users[name] = parse_credential(kept)
        except ConfigError as error:
            raise ConfigError(f"api_users: {name}: {error}") from None
    return users


def _endpoint(label: str, text: str, spec: ChainSpec) -> Endpoint:
    try:
        return Endpoint.parse(text, spec.p2p_port or None)
    except AddressError as error:
        raise ConfigError(f"{label}: {error}") from None


def _recipient(spec: ChainSpec, address: str) -> bytes:
    try:
        return decode_address(spec.hrp, address)
    except DecodeError as error:
        raise ConfigError(f"mine: {error}") from None
