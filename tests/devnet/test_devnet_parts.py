"""The parts of a devnet: topology, process identity, the record, keys, and the view."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pychain.chain.spec import packaged_spec
from pychain.client import Endpoint, RefusedError, UnreachableError
from pychain.consensus.subsidy import issued
from pychain.devnet.audit import audit, settle
from pychain.devnet.directory import clear, running_nodes, take_down
from pychain.devnet.errors import DevnetError
from pychain.devnet.identity import Identity, identify
from pychain.devnet.keys import node_address, node_key
from pychain.devnet.network import MAX_NODES, Devnet, Plan
from pychain.devnet.observer import MinedBlock, NodeState, Observer, Picture
from pychain.devnet.processes import READY_FILE, NodeProcess
from pychain.devnet.record import NodeRecord, Record, change_record, read_record, write_record
from pychain.devnet.topology import TOPOLOGIES, Links
from pychain.devnet.view import DevnetView, standing
from pychain.wallet.keys import dev_key

SPEC = packaged_spec("race")

# --- topology


def reachable(links: Links) -> set[int]:
    found, frontier = {0}, [0]
    while frontier:
        node = frontier.pop()
        for other in {b if a == node else a for a, b in links if node in (a, b)} - found:
            found.add(other)
            frontier.append(other)
    return found


@pytest.mark.parametrize("name", ["line", "ring", "star", "full"])
@given(count=st.integers(1, 20))
def test_every_topology_connects_all_nodes_once(name: str, count: int) -> None:
    links = TOPOLOGIES[name](count)
    assert reachable(links) == set(range(count))
    assert all(0 <= one < other < count for one, other in links)
    assert len(set(links)) == len(links)


def test_topologies_have_their_shapes() -> None:
    assert TOPOLOGIES["line"](4) == ((0, 1), (1, 2), (2, 3))
    assert TOPOLOGIES["ring"](4) == ((0, 1), (1, 2), (2, 3), (0, 3))
    assert TOPOLOGIES["ring"](2) == ((0, 1),)
    assert TOPOLOGIES["star"](4) == ((0, 1), (0, 2), (0, 3))
    assert len(TOPOLOGIES["full"](5)) == 10
    assert TOPOLOGIES["apart"](5) == ()


# --- whose process it is


def test_a_process_is_known_again_and_no_other_is_taken_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = identify(child.pid)
        assert identity is not None
        assert identity.is_running
        assert identity == identify(child.pid) != identify(os.getpid())
        stranger = Identity(child.pid, "at another time")
        assert not stranger.is_running
        assert not stranger.send(signal.SIGKILL)
        assert child.poll() is None, "the process that has the number now was left alone"
        assert identity.send(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not identity.is_running, "it has ended, though nobody has collected it"
    assert identify(child.pid) is None


# --- the record


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record("race", "line", [NodeRecord("node0", Identity(7, "then")), NodeRecord("node1")])
    write_record(tmp_path / "devnet", record)
    assert read_record(tmp_path / "devnet") == record
    assert read_record(tmp_path) is None
    assert [path.name for path in (tmp_path / "devnet").iterdir()] == ["devnet.json"]


@given(data=st.binary(max_size=200))
def test_a_file_that_is_no_record_is_one_clear_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    directory = tmp_path_factory.mktemp("record")
    (directory / "devnet.json").write_bytes(data)
    with pytest.raises(DevnetError, match="is not the record of a devnet"):
        read_record(directory)


def test_several_shells_may_change_a_record_at_once(tmp_path: Path) -> None:
    write_record(tmp_path, Record("race", "line", [NodeRecord(f"node{index}") for index in range(4)]))

    def restart_often(index: int) -> None:
        for number in range(20):
            change_record(tmp_path, partial(Record.with_node, index=index, process=Identity(number, "now")))

    with ThreadPoolExecutor() as shells:
        list(shells.map(restart_often, range(4)))
    record = read_record(tmp_path)
    assert record is not None
    assert [node.process for node in record.nodes] == [Identity(19, "now")] * 4


def test_a_node_that_is_restarted_elsewhere_is_followed_once_it_is_ready(tmp_path: Path) -> None:
    """Before that it has no address yet, and whoever asks for one would find no node running."""
    write_record(tmp_path, Record("dev", "full", [NodeRecord("node0", Identity(1, "long ago"))]))
    devnet = Devnet.attach(tmp_path, packaged_spec("dev"))
    restarted = Identity(os.getpid(), "now")
    change_record(tmp_path, partial(Record.with_node, index=0, process=restarted))
    assert devnet.refresh() == []
    (tmp_path / "node0").mkdir()
    (tmp_path / "node0" / READY_FILE).write_bytes(b"{}")
    (node,) = devnet.refresh()
    assert node.process.identity == restarted
    assert devnet.refresh() == []


def test_processes_of_a_record_that_are_not_ours_any_more_are_left_alone(tmp_path: Path) -> None:
    """The process id of an ended node was given to this test itself."""
    write_record(tmp_path, Record("race", "line", [NodeRecord("node0", Identity(os.getpid(), "at another time"))]))
    assert running_nodes(tmp_path) == []
    assert asyncio.run(take_down(tmp_path)) == 0


def test_clearing_removes_what_a_devnet_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "node0").mkdir()
    (tmp_path / "photos").mkdir()
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    clear(tmp_path)
    assert (tmp_path / "node0").exists(), "no record, no devnet"
    nodes = [NodeRecord("node0"), NodeRecord(f"../{outside.name}"), NodeRecord(str(outside))]
    write_record(tmp_path, Record("race", "line", nodes))
    clear(tmp_path)
    assert not (tmp_path / "node0").exists()
    assert (tmp_path / "photos").exists()
    assert outside.exists()


def test_a_devnet_that_runs_is_not_cleared(tmp_path: Path) -> None:
    own = identify(os.getpid())
    write_record(tmp_path, Record("race", "line", [NodeRecord("node0", own)]))
    with pytest.raises(DevnetError, match="a devnet runs in"):
        clear(tmp_path)


def test_without_a_devnet_there_is_nothing_to_take_down(tmp_path: Path) -> None:
    with pytest.raises(DevnetError, match="there is no devnet in"):
        asyncio.run(take_down(tmp_path))


# --- plans and processes


@pytest.mark.parametrize("count", [0, -1, MAX_NODES + 1])
def test_a_devnet_has_a_bounded_number_of_nodes(tmp_path: Path, count: int) -> None:
    with pytest.raises(DevnetError, match=f"1 to {MAX_NODES} nodes, not {count}"):
        Plan(tmp_path, "race", SPEC, count)


def test_a_devnet_stays_where_it_was_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes have other working directories."""
    monkeypatch.chdir(tmp_path)
    assert Plan(Path("net"), "race", SPEC, 1).directory == tmp_path / "net"


def test_a_node_that_does_not_start_says_why(tmp_path: Path) -> None:
    async def run() -> None:
        process = NodeProcess.start(tmp_path / "node", "nowhere", [])
        with pytest.raises(DevnetError, match="network 'nowhere' is unknown"):
            await process.ready()

    asyncio.run(run())


def test_every_node_has_a_key_of_its_own() -> None:
    keys = [node_key(index).public_key for index in range(MAX_NODES)]
    assert len(set(keys)) == MAX_NODES
    assert keys[:10] == [dev_key(index).public_key for index in range(10)]
    assert node_address(SPEC, 0).startswith("rpyc1")


# --- watching


class FakeNode:
    """A node with a scripted chain, as far as the observer needs it. A chain is a list of block names, genesis
    first."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self.left: dict[str, int] = {}
        self.silent = False

    def become(self, chain: str) -> None:
        common = next((i for i, (a, b) in enumerate(zip(self.chain, chain, strict=False)) if a != b), None)
        if common is not None:
            self.left[self.chain[-1]] = len(self.chain) - common
        self.chain = chain

    async def batch(self, calls: Any, *, timeout_s: float) -> list[Any]:
        if self.silent:
            raise UnreachableError("gone")
        answers: list[Any] = []
        for method, params in calls:
            if method == "getblockchaininfo":
                answers.append(self._chain_info())
            elif method == "getmininginfo":
                answers.append(self._mining_info())
            elif method == "getnetworkinfo":
                answers.append(self._network_info())
            elif method == "getmempoolinfo":
                answers.append({"size": 3, "bytes": 500, "maxmempool": 10**6, "minrelaytxfee": 0})
            elif params[0] in self.chain:
                answers.append({"confirmations": len(self.chain) - self.chain.index(params[0])})
            elif params[0] in self.left:
                answers.append({"confirmations": -1})
            else:
                answers.append(RefusedError(-5, "Block not found"))
        return answers

    async def call(self, method: str, *params: Any, result: Any, timeout_s: float) -> Any:
        if self.silent:
            raise UnreachableError("gone")
        if method == "getchaintips":
            tips = [
                {"height": 1, "hash": name, "branchlen": n, "status": "valid-fork"} for name, n in self.left.items()
            ]
            active = {"height": len(self.chain) - 1, "hash": self.chain[-1], "branchlen": 0, "status": "active"}
            return msgspec.convert([active, *tips], result)
        assert method == "getblock"
        height = self.chain.index(params[0])
        block: dict[str, Any] = {"height": height, "tx": [{"recipient": f"miner of {params[0]}"}]}
        if height:
            block["previousblockhash"] = self.chain[height - 1]
        return msgspec.convert(block, result)

    def _chain_info(self) -> dict[str, Any]:
        return {
            "chain": "race",
            "genesis": "G",
            "blocks": len(self.chain) - 1,
            "headers": len(self.chain) - 1,
            "bestblockhash": self.chain[-1],
            "bits": "1e020000",
            "difficulty": 1.0,
            "time": 0,
            "mediantime": 0,
            "verificationprogress": 1.0,
            "initialblockdownload": False,
            "secondsleft": None,
            "chainwork": f"{len(self.chain):x}",
        }

    def _mining_info(self) -> dict[str, Any]:
        return {
            "blocks": len(self.chain) - 1,
            "difficulty": 1.0,
            "networkhashps": 0.0,
            "pooledtx": 3,
            "next": {"height": len(self.chain), "bits": "1e020000", "difficulty": 2.0},
            "mining": True,
            "threads": 1,
            "hashespersec": 5e6,
        }

    def _network_info(self) -> dict[str, Any]:
        return {
            "version": "0",
            "subversion": "/x/",
            "node_id": "id",
            "connections": 2,
            "connections_in": 1,
            "connections_out": 1,
            "localaddresses": [],
            "relayfee": 0,
        }


def look(observer: Observer) -> Picture:
    return asyncio.run(observer.look())


def test_a_race_is_followed_through_a_fork() -> None:
    nodes = [FakeNode("G") for _ in range(3)]
    observer = Observer(nodes)  # type: ignore[arg-type]  # as much of a client as is needed
    picture = look(observer)
    assert (picture.standing, picture.recent, picture.news) == ("agree", (), ())
    assert standing(picture) == "all agree at height 0"

    nodes[0].become("GA")
    picture = look(observer)
    assert (picture.standing, picture.tips) == ("behind", (("A", (0,)), ("G", (1, 2))))
    assert standing(picture) == "one chain at height 1, 2 catching up"

    nodes[1].become("GAB")
    nodes[2].become("Gab")
    picture = look(observer)
    assert picture.standing == "fork"
    assert picture.news == ("fork: the nodes are on different branches at height 2",)
    assert standing(picture) == "3 branches: node1 against node2 against node0"

    for node in nodes:
        node.become("Gabc")
    picture = look(observer)
    assert picture.standing == "agree"
    assert [state.reorganisations for state in picture.alive] == [1, 1, 0]
    assert [state.deepest for state in picture.alive] == [1, 2, 0]
    assert picture.news == (
        "node0 left 1 block of its own branch at height 1",
        "node1 left 2 blocks of its own branch at height 1",
        "healed: all on one branch again at height 3",
    )
    assert [block.hash for block in picture.recent] == ["a", "b", "c"]
    assert picture.mined == {"miner of a": 1, "miner of b": 1, "miner of c": 1}
    assert look(observer).news == ()


def test_a_silent_node_does_not_hide_the_others() -> None:
    nodes = [FakeNode("GAB"), FakeNode("GAB")]
    observer = Observer(nodes)  # type: ignore[arg-type]
    nodes[0].silent = True
    picture = look(observer)
    assert picture.nodes[0] is None
    assert (picture.standing, standing(picture)) == ("agree", "all agree at height 2, 1 silent")
    nodes[1].silent = True
    assert standing(look(observer)) == "no node answers"


def test_a_node_that_cannot_answer_is_not_asked() -> None:
    nodes = [FakeNode("G"), FakeNode("G")]
    picture = look(Observer(nodes, lambda index: index == 1))  # type: ignore[arg-type]
    assert [node is None for node in picture.nodes] == [True, False]


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6), st.text("ABCDEF", max_size=4)), max_size=8))
def test_whatever_the_nodes_do_the_miners_are_those_of_the_heaviest_branch(steps: list[tuple[int, int, str]]) -> None:
    """Block names carry their whole branch, so that equal names mean equal histories."""
    branches = [["G"] for _ in range(3)]
    nodes = [FakeNode("G") for _ in range(3)]
    observer = Observer(nodes)  # type: ignore[arg-type]
    for node, keep, growth in steps:
        chain = branches[node][: keep + 1]
        for letter in growth:
            chain = [*chain, chain[-1] + letter]
        branches[node] = chain
        nodes[node].chain = chain  # type: ignore[assignment]  # a list of names serves as well as a text
        picture = look(observer)
        leader = picture.leader
        assert leader is not None
        assert [block.hash for block in picture.recent] == branches[leader.index][1:]
        assert all(child.height == parent.height + 1 for parent, child in pairwise(picture.recent))
        tips = {branch[-1] for branch in branches}
        assert (picture.standing == "agree") == (len(tips) == 1)


# --- how it looks


def state(index: int, height: int, tip: str, **more: Any) -> NodeState:
    values = {"chain_work": height, "difficulty": 0.002, "peers": 2, "hash_rate": 6.5e6, "mining": True, "mempool": 4}
    return NodeState(index, height, tip * 12, **{**values, "reorganisations": 0, "deepest": 0, **more})


PICTURE = Picture(
    nodes=(state(0, 12, "a", reorganisations=2, deepest=3), state(1, 11, "b", mining=False), None),
    standing="fork",
    tips=(("a" * 12, (0,)), ("b" * 12, (1,))),
    recent=(MinedBlock(11, "x", "first"), MinedBlock(12, "y", "nobody we know")),
    mined={"first": 7, "nobody we know": 5},
    news=("fork: the nodes are on different branches at height 12",),
)


def test_the_panel_shows_everything_at_a_glance() -> None:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    view = DevnetView("pychain devnet", {"first": 0, "second": 1})
    console.print(view.panel(PICTURE, 75, 9, None, ["apart: node0 | node1 node2"]))
    console.file.close()
    shown = console.export_text()
    for text in ("1:15", "node0", "node1", "node2", "silent", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "6.50 MH/s", "idle"):
        assert text in shown
    for text in ("2 branches: node0 against node1, 1 silent", "2 (deepest 3)", "■■", "node0 7", "node1 0", "Ctrl-C"):
        assert text in shown
    assert "1:15  fork: the nodes are on different branches" in shown
    assert "▲ apart: node0 | node1 node2" in shown


def test_in_a_pipe_each_picture_is_a_line_and_news_have_their_own() -> None:
    lines = DevnetView("pychain devnet", {}).line(PICTURE, 75, ["apart: x | y"]).split("\n")
    assert lines[0] == "1:15 | fork: the nodes are on different branches at height 12"
    assert lines[1].startswith(
        "1:15 | 2 branches: node0 against node1, 1 silent | apart: x | y | difficulty 0.002 | 13.00 MH/s | node0 12"
    )
    assert lines[1].endswith("node2 silent")


# --- the end of a race


class Script:
    """A devnet of one node and its observer, which sees the next of these tips at each look."""

    def __init__(self, *tips: str) -> None:
        self.looks = iter(tips)
        self.calls: list[str] = []
        self.plan = Plan(Path(), "race", SPEC, 1)
        self.nodes = [SimpleNamespace(index=0, record=NodeRecord("node0"))]

    async def rest(self) -> None:
        self.calls.append("rest")

    async def mine(self, indexes: list[int]) -> None:
        self.calls.append("mine")

    async def look(self) -> Picture:
        tip = next(self.looks)
        return Picture((state(0, 1, tip),), "agree", ((tip, (0,)),), (), {})


def test_an_agreement_has_to_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pychain.devnet.audit.POLL_S", 0)
    script = Script("a", "b", "b")
    picture = asyncio.run(settle(script, script, 60))  # type: ignore[arg-type]  # as much of both as is needed
    assert picture.tips == (("b", (0,)),)
    assert list(script.looks) == []
    assert script.calls == ["rest"]


class Ledger:
    """A node whose chain grows by a block at some of its answers, each with a reward to the first key."""

    def __init__(self, growing: set[int] | None = None) -> None:
        self.height = 50
        self.answers = 0
        self.growing = growing
        self.endpoint = Endpoint("127.0.0.1", 1)

    def _answer(self) -> None:
        self.answers += 1
        self.height += self.growing is None or self.answers in self.growing

    async def chain_info(self) -> Any:
        self._answer()
        return SimpleNamespace(blocks=self.height, bestblockhash=f"{self.height}")

    async def account(self, address: str) -> Any:
        self._answer()
        return SimpleNamespace(balance=0, immature=issued(SPEC, self.height))

    async def call(self, method: str, *, result: type) -> str:
        self._answer()
        return f"{self.height}"


def audited(ledger: Ledger) -> int:
    net = SimpleNamespace(
        plan=Plan(Path(), "race", SPEC, 1), nodes=[SimpleNamespace(index=0, client=ledger, record=NodeRecord("node0"))]
    )
    return asyncio.run(audit(net))  # type: ignore[arg-type]


def test_accounts_are_read_under_one_tip() -> None:
    """A block comes between the height and the balances, then one between the balances and the end."""
    assert audited(Ledger(growing={2, 6})) == issued(SPEC, 52)


def test_accounts_that_never_stand_still_are_an_error() -> None:
    with pytest.raises(DevnetError, match="still connects blocks"):
        audited(Ledger())
