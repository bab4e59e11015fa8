"""`pychain miner`: mine for a Stratum server, this project's or another, on the native kernels."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import nullcontext, suppress
from dataclasses import replace

import click

from pychain.base.errors import ConfigError, DecodeError
from pychain.cli.context import Context, common_options, pass_context
from pychain.client import UnreachableError, stratum_of
from pychain.daemon.log import set_up_log, take_down_log
from pychain.miner.pool import PoolMiner, Server, UnreachableServerError
from pychain.miner.report import LineReporter, LiveReporter, Reporter, summary, summary_line, write_json, write_log


def _to_server(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Server | None:
    try:
        return None if value is None else Server.parse(value)
    except DecodeError as error:
        raise click.BadParameter(str(error), ctx, parameter) from None


@click.command("miner")
@click.argument("server", metavar="[URL]", required=False, callback=_to_server)
@click.option("--user", metavar="NAME", help="User; at a pychain node the payout address, or ADDRESS.WORKER.")
@click.option("--password", metavar="TEXT", help="Password; many servers read d=N as a fixed difficulty.")
@click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="Search threads (one for each core).")
@click.option("--wait", is_flag=True, help="Keep trying if the server cannot be reached at first.")
@click.option("--live/--no-live", default=True, help="On a terminal, show a live view instead of a log (--live).")
@common_options
@pass_context
def command(
    context: Context,
    server: Server | None,
    user: str | None,
    password: str | None,
    threads: int | None,
    wait: bool,
    live: bool,
) -> None:
    """Mine for a Stratum server until Ctrl-C. Without a URL: for the node of the data directory.

    \b
    For your own node (`pychain node --network test --stratum-port 3333`), to an address of its network:
        pychain miner --network test --user tpyc1...
    For a node elsewhere, or any other server of SHA-256d jobs, on two threads:
        pychain miner stratum+tcp://192.0.2.1:3333 --user NAME.WORKER --threads 2
    In a pipe: one log line per event on standard error; with --json, one JSON object per event on standard output.
    """
    server = server or Server.parse(stratum_of(context.datadir))
    server = replace(server, user=user or server.user, password=server.password if password is None else password)
    if not server.user:
        raise ConfigError("a user is needed: give --user NAME, or stratum+tcp://NAME@HOST:PORT")
    reporter: Reporter
    if context.json:
        reporter = LineReporter(write_json)
    elif live and sys.stdout.isatty():
        reporter = LiveReporter()
    else:
        reporter = LineReporter(write_log)
    log = set_up_log("info" if isinstance(reporter, LineReporter) and not context.json else "error", "text")
    try:
        with reporter if isinstance(reporter, LiveReporter) else nullcontext():
            asyncio.run(_mine(server, threads or os.cpu_count() or 1, wait, reporter))
    except UnreachableServerError as error:
        raise UnreachableError(str(error)) from None
    finally:
        take_down_log(log)


async def _mine(server: Server, threads: int, patient: bool, reporter: Reporter) -> None:
    """Mine until the first SIGINT or SIGTERM; a second one ends the process at once."""
    miner = PoolMiner(server, threads, reporter.tell)
    loop = asyncio.get_running_loop()
    mining = loop.create_task(miner.run(patient=patient))
    watching = loop.create_task(reporter.watch(miner))

    def interrupt() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        mining.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        with suppress(asyncio.CancelledError):
            await mining
        rate = miner.average_rate()
        reporter.tell("end", f"ended; on average {summary_line(miner, rate)}", summary(miner, rate))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
