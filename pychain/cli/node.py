"""`pychain node`: run a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pychain.base.errors import ConfigError
from pychain.cli.context import Context, common_options, pass_context

if TYPE_CHECKING:
    from pychain.chain.spec import ChainSpec
    from pychain.keystore import Keystore

_OWN_WALLET = "\0"
"""The value of `--mine` without an address."""


@click.command("node")
@common_options
@click.option(
    "--mine",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value=_OWN_WALLET,
    help="Mine to ADDRESS (default: the wallet 'default', on dev networks the first funded key).",
)
@click.option("--threads", type=int, metavar="N", help="Mining threads (1); 0: only serve work to others.")
@click.option(
    "--prune-mb", type=int, metavar="N", help="Keep about N megabytes of blocks, at least the last 288 (all)."
)
@click.option("--cache-mb", type=int, metavar="N", help="Memory for the state's cache, in megabytes (256).")
@click.option(
    "--mine-interval", "mine_interval_s", type=float, metavar="S", help="On dev networks: mean seconds between blocks."
)
@click.option("--connect", multiple=True, metavar="HOST:PORT", help="Stay connected to this peer; may be repeated.")
@click.option("--connect-only", is_flag=True, default=None, help="Dial only the peers of --connect.")
@click.option("--listen", multiple=True, metavar="HOST", help="Accept peers on this address; may be repeated.")
@click.option("--p2p-port", type=int, metavar="PORT", help="Port for peers; 0: any free one.")
@click.option("--api-port", type=int, metavar="PORT", help="Port of the API; 0: any free one.")
@click.option("--api-host", metavar="HOST", help="Address of the API (127.0.0.1).")
@click.option("--stratum-port", type=int, metavar="PORT", help="Port for Stratum miners (off); 0: any free one.")
@click.option("--stratum-host", metavar="HOST", help="Address for Stratum miners (127.0.0.1).")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error (info).")
@click.option("--log-format", metavar="FORMAT", help="text or json (text).")
@click.option("--live/--no-live", default=None, help="On a terminal, show a live view and log to a file (--live).")
@pass_context
def command(context: Context, /, **flags: Any) -> int:
    """Run a node until Ctrl-C.

    \b
    Follow the test network:
        pychain node --network test --connect 192.0.2.1:31700
    Mine on it, on two threads:
        pychain node --network test --mine --threads 2
    Serve miners on this machine, each paid at its own address:
        pychain node --network test --stratum-port 3333
    A private chain, a block every 5 seconds, on any free ports:
        pychain node --network dev --mine --mine-interval 5 --p2p-port 0 --api-port 0
    A network whose spec names a retarget rule of your own:
        pychain node --network ./mine.toml --plugin ./rule.py
    """
    from pychain.daemon.daemon import run

    for name in ("connect", "listen"):
        flags[name] = list(flags[name]) or None
    if flags["mine"] == _OWN_WALLET:
        flags["mine"] = _own_address(context.spec, context.keystore)
    settings = context.load_settings(flags)
    settings.load_rulebook()  # a rule that is not there is a mistake in the settings, told as such
    return run(settings)


def _own_address(spec: ChainSpec, keystore: Keystore) -> str:
    from pychain.chain.address import encode_address
    from pychain.keystore import DEFAULT_WALLET
    from pychain.wallet.keys import dev_key

    if DEFAULT_WALLET in keystore.names():
        return encode_address(spec.hrp, keystore.load(DEFAULT_WALLET).accounts[0].public_key)
    if spec.dev:
        return encode_address(spec.hrp, dev_key(0).public_key)
    raise ConfigError("--mine needs an address, or a wallet to mine to: make one with `pychain wallet create`")
