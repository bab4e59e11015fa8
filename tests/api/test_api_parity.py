"""One API, two runtimes: whatever can be read of a node is answered alike by a daemon and by a simulated host.

Both are given the same chain of 60 blocks with two forks, and the same transfers, by the same calls in the same order;
then every read-only method and every resource is called on both. A new one must be in the tables below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pychain.api.errors import RpcError
from pychain.api.methods.control import GROUPS
from pychain.api.rest.resources import RESOURCES
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.mempool import MempoolLimits
from pychain.node.config import NodeConfig
from pychain.sim.host import Host
from pychain.sim.world import World
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.api.node import SPEC, ApiError, ApiNode, address
from tests.api.web import EventSource, get

HEIGHT = 60
START = SPEC.genesis_time + 1000
SPACING_S = 10
STALE_BRANCH, LEFT_BRANCH = 20, 40
"""Heights of the forks: blocks that never were active, and blocks that were left for a branch of more work."""

CHANGE = {
    "invalidateblock",
    "reconsiderblock",
    "sendrawtransaction",
    "setmining",
    "submitblock",
    "generatetoaddress",
    "generateblock",
    "setnetworkactive",
    "addnode",
    "disconnectnode",
    "setban",
    "stop",
    "setmocktime",
    "dev_snapshot",
    "dev_revert",
}
"""Methods that change a node; all others read."""

OF_THE_MACHINE = {
    "uptime": [""],
    "getnettotals": ["timemillis"],
    "getnetworkinfo": ["node_id", "localaddresses"],
    "getmininginfo": ["threads"],
    "getblocktemplate": ["coinbasetxn"],
    "/status": ["node_id", "uptime"],
    "/network": ["node_id", "localaddresses"],
    "/mining": ["threads"],
}
"""Method or resource -> the fields that tell of sockets, threads, the clock or chance, the whole answer for "": they
differ, and are there in both."""


@dataclass
class Story:
    """The inputs of both nodes, and the names in them."""

    steps: list[tuple[str, Any]] = field(default_factory=list)
    stale: str = ""
    """A block that was never active."""
    left: str = ""
    """One that was."""
    mined: str = ""
    """A transaction of the active chain."""
    pending: str = ""
    spare: str = ""
    """A valid transfer, in hex, that no node has."""


class Author:
    """Writes the story, with the help of a node of its own."""

    def __init__(self) -> None:
        self._host = simulated()
        self.story = Story()
        self._sequences = [0] * 10
        self._time = START

    def tell(self, method: str, param: Any) -> Any:
        self.story.steps.append((method, param))
        return self._host.api.call(method, param)

    def pay(self, payer: int, fee: int) -> str:
        raw = self.sign(payer, fee)
        self._sequences[payer] += 1
        return str(self.tell("sendrawtransaction", raw))

    def sign(self, payer: int, fee: int) -> str:
        payment = Payment(dev_key(payer + 1).public_key, 1000 + fee, fee, b"for %d" % fee)
        return sign_transfer(dev_key(payer), SPEC.genesis_hash, self._sequences[payer], payment).raw.hex()

    def mine(self, count: int) -> list[str]:
        """Blocks on the author's tip, each with the pending transfers."""
        hashes = []
        for _ in range(count):
            self._time += SPACING_S
            self.tell("setmocktime", self._time)
            (found,) = self._host.api.call("generatetoaddress", 1, address(dev_key(9)))
            self.story.steps.append(("submitblock", self._host.api.call("getblock", found, 0)))
            hashes.append(found)
        return hashes

    def branch(self, height: int, count: int) -> list[str]:
        """Blocks beside those from a height on; the branch of most work is active after it."""
        replaced = self._host.api.call("getblockhash", height)
        self._host.api.call("invalidateblock", replaced)
        hashes = self.mine(count)
        self._host.api.call("reconsiderblock", replaced)
        return hashes

    @property
    def height(self) -> int:
        return int(self._host.api.call("getblockcount"))

    def block_at(self, height: int) -> str:
        return str(self._host.api.call("getblockhash", height))


def simulated() -> Host:
    """A host with the settings that a daemon has on a dev network."""
    rulebook = Rulebook(SPEC)
    world = World(rulebook, seed=1, start_wall_s=START)
    host = world.add("host", config=NodeConfig(rulebook, mempool=MempoolLimits(relay_fee=0)))
    world.start()
    return host


def written() -> Story:
    author = Author()
    story = author.story
    author.tell("setmocktime", START)
    author.mine(STALE_BRANCH - 2)
    story.mined = author.pay(0, 500)
    author.pay(1, 700)
    author.mine(4)
    story.stale = author.branch(STALE_BRANCH, 2)[0]
    author.mine(LEFT_BRANCH + 1 - author.height)
    story.left = author.block_at(LEFT_BRANCH)
    assert author.branch(LEFT_BRANCH, 3)[0] == author.block_at(LEFT_BRANCH)
    author.pay(2, 2000)
    author.mine(HEIGHT - author.height)
    for fee in (10, 300, 90):
        story.pending = author.pay(3, fee)
    author.pay(4, 5000)
    story.spare = author.sign(5, 77)
    return story


class Both:
    """The two nodes with the same inputs, and the events that their listeners got."""

    def __init__(self, daemon: ApiNode, host: Host, story: Story) -> None:
        self.daemon = daemon
        self.host = host
        self.story = story
        kinds = ("tip", "reorg", "tx")
        with EventSource(daemon.base, f"?types={','.join(kinds)}") as there, host.api.events(*kinds) as here:
            for method, param in story.steps:
                self.call(method, param)
            self.heard_here = [(event.kind, event.data) for event in here]
            self.heard_there = [(event.kind, event.data) for event in (there.next() for _ in self.heard_here)]

    def call(self, method: str, *params: Any, **named: Any) -> tuple[Any, Any]:
        """A method's results, or its errors, from daemon and host."""
        return (
            outcome(lambda: self.daemon.call(method, *params, **named)),
            outcome(lambda: self.host.api.call(method, *params, **named)),
        )


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return json.loads(json.dumps(call()))
    except (ApiError, RpcError) as error:
        return {"error": int(error.code), "message": error.message}


def is_error(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.keys() == {"error", "message"}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with ApiNode(tmp_path_factory.mktemp("parity") / "node") as daemon:
        yield Both(daemon, simulated(), written())


def calls(story: Story) -> dict[str, list[Any]]:
    """Parameters for each method that reads: a list by position or a dict by name each."""
    payer, miner, unknown = address(dev_key(0)), address(dev_key(9)), "ab" * 32
    return {
        "getblockchaininfo": [[]],
        "getbestblockhash": [[]],
        "getblockcount": [[]],
        "getdifficulty": [[]],
        "getblockhash": [[0], [HEIGHT], [HEIGHT + 1]],
        "getblockheader": [[story.stale], [story.left, False], [unknown]],
        "getblockheaders": [[0], [HEIGHT - 3, 100], [HEIGHT + 1]],
        "getblock": [[story.stale], [story.left, 2], [story.stale, 0], [unknown]],
        "getchaintips": [[]],
        "getblockstats": [[STALE_BRANCH], [story.left], [LEFT_BRANCH, ["txs", "totalfee"]], [1, ["nothing"]]],
        "verifychain": [[level, 0] for level in range(5)],
        "waitfornewblock": [[1], {"current_tip": unknown}],
        "waitforblockheight": [[HEIGHT], [HEIGHT + 1, 1]],
        "waitforblock": [[unknown, 1]],
        "getchainspec": [[]],
        "getrawtransaction": [[story.mined, 2], [story.pending, True], [story.mined], [unknown], [unknown, 1, unknown]],
        "testmempoolaccept": [[[story.spare]], [["00"]], [[story.spare[:-2] + "00"]]],
        "decoderawtransaction": [[story.spare], ["00"]],
        "getmempoolinfo": [[]],
        "getmempoolentry": [[story.pending], [unknown]],
        "getrawmempool": [[], [True]],
        "estimatesmartfee": [[1], [25]],
        "getmininginfo": [[]],
        "getstratuminfo": [[]],
        "getnetworkhashps": [[], [5, 30], [1, HEIGHT + 1]],
        "getblocktemplate": [[], [{"address": payer}]],
        "getnetworkinfo": [[]],
        "getconnectioncount": [[]],
        "getnettotals": [[]],
        "getpeerinfo": [[]],
        "listbanned": [[]],
        "getaccount": [[payer], [miner], ["dpyc1nothing"]],
        "validateaddress": [[payer], ["dpyc1nothing"]],
        "getaccounthistory": [[payer], [miner, 7], [payer, 5, story.mined], [payer, 1, unknown]],
        "getaccountpending": [[address(dev_key(3))]],
        "help": [[], ["getblock"], ["nothing"]],
        "rpc.discover": [[]],
        "uptime": [[]],
        "dev_automine": [[]],
    }


def resources(story: Story) -> dict[str, list[str]]:
    """Paths for each resource."""
    payer, miner, unknown = address(dev_key(0)), address(dev_key(9)), "ab" * 32
    return {
        "/status": ["/status"],
        "/peers": ["/peers"],
        "/network": ["/network"],
        "/mining/stratum": ["/mining/stratum"],
        "/mining": ["/mining"],
        "/blocks": ["/blocks", "/blocks?before=45&limit=50", "/blocks?limit=0"],
        "/block/{block}": [f"/block/{name}" for name in ("0", "tip", story.stale, f"{story.left}?limit=1", unknown)],
        "/header/{block}": [f"/header/{name}" for name in ("0", "tip", story.left, unknown)],
        "/tips": ["/tips"],
        "/tree": ["/tree", "/tree?depth=10"],
        "/series": ["/series", "/series?points=7&blocks=30"],
        "/tx/{txid}": [f"/tx/{story.mined}", f"/tx/{story.pending}", f"/tx/{unknown}"],
        "/account/{address}": [f"/account/{payer}", "/account/nothing"],
        "/account/{address}/history": [f"/account/{miner}/history?limit=9", f"/account/{payer}/history"],
        "/mempool": ["/mempool", "/mempool?limit=2&offset=1", "/mempool?nothing=1"],
        "/search": [f"/search?q={what}" for what in ("7", story.stale, story.mined, payer, unknown, "nothing")],
    }


def without(answer: Any, fields: list[str]) -> Any:
    """An answer without some of its fields, all of which it must have."""
    for name in fields:
        if not name:
            return type(answer)
        del answer[name]
    return answer


READING = [method.name for group in GROUPS for method in group.methods if method.name not in CHANGE]
PATHS = [endpoint.path for section in RESOURCES for endpoint in section.endpoints]


def test_the_tables_name_what_there_is() -> None:
    methods = {method.name for group in GROUPS for method in group.methods}
    assert methods >= CHANGE
    assert set(calls(Story())) == methods - CHANGE
    assert set(resources(Story())) == set(PATHS)
    assert set(OF_THE_MACHINE) <= methods | set(PATHS)


def test_the_story_has_what_it_should(both: Both) -> None:
    tips = both.daemon.call("getchaintips")
    assert [(tip["status"], tip["height"], tip["branchlen"]) for tip in tips] == [
        ("active", HEIGHT, 0),
        ("valid-fork", LEFT_BRANCH + 1, 2),
        ("valid-headers", STALE_BRANCH + 1, 2),
    ]
    assert both.daemon.call("getmempoolinfo")["size"] == 4


@pytest.mark.parametrize("method", READING)
def test_every_method_that_reads_answers_alike(both: Both, method: str) -> None:
    for params in calls(both.story)[method]:
        given = both.call(method, **params) if isinstance(params, dict) else both.call(method, *params)
        machine = [] if is_error(given[0]) else OF_THE_MACHINE.get(method, [])
        there, here = (without(answer, machine) for answer in given)
        assert there == here, params


@pytest.mark.parametrize("path", PATHS)
def test_every_resource_answers_alike(both: Both, path: str) -> None:
    for target in resources(both.story)[path]:
        there, here = get(both.daemon.base, f"/api/v1{target}"), both.host.api.get(target)
        assert there.status == here.status, target
        machine = OF_THE_MACHINE.get(path, []) if there.status == 200 else []
        assert without(there.json, machine) == without(here.body, machine), target


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/openrpc.json", "/nothing"])
def test_pages_and_documents_are_the_same(both: Both, path: str) -> None:
    there, here = get(both.daemon.base, path), both.host.api.request("GET", path)
    assert (there.status, there.body) == (here.status, here.body)
    assert {name: there.headers[name] for name in here.headers} == here.headers


def test_listeners_hear_the_same(both: Both) -> None:
    assert {kind for kind, _ in both.heard_here} == {"tip", "reorg", "tx"}
    assert both.heard_there == both.heard_here


def test_metrics_tell_of_the_same_things(both: Both) -> None:
    """All families but those of the process; where a figure is the chain's or the mempool's, it is the same."""

    def figures(text: bytes) -> dict[str, float]:
        lines = (line.rpartition(" ") for line in text.decode().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines if not name.startswith(("process_", "python_"))}

    def families(text: bytes) -> set[str]:
        names = re.findall(r"^# TYPE (\w+)", text.decode(), re.MULTILINE)
        return {name for name in names if not name.startswith(("process_", "python_"))}

    there, here = get(both.daemon.base, "/metrics").body, both.host.api.request("GET", "/metrics").body
    assert families(there) == families(here)
    about = re.compile(r"pychain_(block|blocks|mempool|transfers|reorg|tip|sync|syncing|header|difficulty)(_|$)")
    daemon, host = figures(there), figures(here)
    assert len([name for name in host if about.match(name)]) > 20
    assert {name: daemon[name] for name in daemon if about.match(name)} == {
        name: host[name] for name in host if about.match(name)
    }
