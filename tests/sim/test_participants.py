"""Participants: what drives a machine may change blocks and messages; the honest one changes nothing at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pychain.base.entropy import Random
from pychain.chain.block import Block, decode_block
from pychain.consensus.rulebook import Rulebook
from pychain.node.events import Event, NewTip
from pychain.node.requests import SetMining
from pychain.p2p.messages import Block as BlockMessage
from pychain.p2p.messages import Fields, Headers, Ping
from pychain.sim.host import Host
from pychain.sim.participants import PARTICIPANTS, Delayed, Participant, SelfishMiner, Withholding, Work
from pychain.sim.play import play
from pychain.sim.scenarios import SCENARIOS
from pychain.sim.world import World
from pychain.wallet.keys import dev_key
from tests.support.networks import HASH_RATE, line_world, quick_spec

OTHER = dev_key(7).public_key


def pair(participant: Participant | None, seed: int = 1) -> tuple[World, Host, Host]:
    """A miner that is driven, and a node that follows it."""
    world = World(Rulebook(quick_spec(retarget="fixed")), seed)
    driven = world.add("m", ["n"], mine_to=dev_key(0).public_key, hash_rate=HASH_RATE, participant=participant)
    follower = world.add("n")
    world.start()
    return world, driven, follower


def height(host: Host) -> int:
    return host.node.queries.tip.height


def unsent(world: World, host: Host) -> int:
    """Bytes that the node believes to be in memory still, when nothing has happened for a second."""
    host.ask(SetMining(None))
    world.run_for(1)
    return sum([peer.unsent for peer in host.node.queries.peers()])


def coinbase(host: Host, at: int) -> tuple[bytes, bytes]:
    """Whom a block of the active chain pays, and its coinbase's extra."""
    entry = host.node.queries.at(at)
    assert entry is not None
    raw = host.store.body(entry.hash)
    assert raw is not None
    return decode_block(raw).coinbase.recipient, decode_block(raw).coinbase.extra


def test_an_honest_participant_changes_nothing() -> None:
    digests = []
    for participant in (None, Participant()):
        world, _, _ = pair(participant)
        world.run_for(200)
        digests.append(world.trace.hexdigest())
    assert digests[0] == digests[1]


def test_only_a_driven_host_is_another_class() -> None:
    _, hosts = line_world(1, 2)
    assert [type(host) for host in hosts] == [Host, Host]


class Editor(Participant):
    """Changes all that a miner may choose."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def work(self, work: Work) -> Work:
        late = work.template.time + 100
        template = replace(work.template, transfers=(), time=late, max_time=late)
        return Work(template, OTHER, b"x" * 32 + work.template.height.to_bytes(4, "big"))

    def heard(self, event: Event) -> None:
        self.events.append(event)


def test_a_participant_chooses_coinbase_and_time() -> None:
    editor = Editor()
    world, driven, follower = pair(editor)
    world.run_until(lambda: height(follower) >= 3, 600)
    recipient, extra = coinbase(follower, 2)
    assert (recipient, extra) == (OTHER, b"x" * 32 + (2).to_bytes(4, "big"))
    entry = follower.node.queries.at(1)
    assert entry is not None
    assert entry.header.time > follower.now.wall_s
    assert [event.height for event in editor.events if isinstance(event, NewTip)][:3] == [1, 2, 3]
    assert editor.events == driven.events


class Brancher(Participant):
    """Mines on genesis alone."""

    def work(self, work: Work) -> Work:
        genesis = self.host.node.queries.at(0)
        assert genesis is not None
        return self.host.work_on(genesis, work.recipient)


def test_a_participant_chooses_the_parent() -> None:
    world, driven, follower = pair(Brancher())
    world.run_until(lambda: driven.mined >= 4, 600)
    world.run_for(5)
    tips = driven.node.queries.tips()
    assert height(driven) == height(follower) == 1
    assert len([tip for tip in tips if tip.entry.height == 1]) == driven.mined


class Idler(Participant):
    def work(self, work: Work) -> None:
        return None


def test_a_participant_may_rest() -> None:
    world, driven, _ = pair(Idler())
    world.run_for(600)
    assert (driven.mined, height(driven)) == (0, 0)


class Hoarder(Participant):
    """Keeps the first block that it finds for a minute."""

    def __init__(self) -> None:
        self.kept: list[Block] = []

    def started(self) -> None:
        self.host.after(60, self.hand_in)

    def found(self, block: Block) -> bool:
        self.kept.append(block)
        return False

    def hand_in(self) -> None:
        self.host.submit(self.kept[0])


def test_a_found_block_is_kept_and_handed_in_later() -> None:
    hoarder = Hoarder()
    world, driven, follower = pair(hoarder)
    world.run_for(59)
    assert (height(driven), height(follower), driven.mined > 1) == (0, 0, True)
    world.run_until(lambda: height(follower) == 1, 10)
    assert follower.node.queries.tip.hash == hoarder.kept[0].hash


class Mute(Participant):
    """Says nothing of blocks."""

    def outgoing(self, peer: str, message: Fields) -> Fields | None:
        return None if isinstance(message, Headers | BlockMessage) else message


def test_messages_are_dropped_without_harm_to_the_connection() -> None:
    world, driven, follower = pair(Mute())
    world.run_until(lambda: height(driven) >= 30, 600)
    assert height(follower) == 0
    assert unsent(world, driven) == 0, "the node does not believe that its peer is slow"


class Sloth(Participant):
    """Announces late."""

    def __init__(self) -> None:
        self.peers: set[str] = set()

    def outgoing(self, peer: str, message: Fields) -> Fields | Delayed:
        self.peers.add(peer)
        return Delayed(message, 30) if isinstance(message, Headers) else message


def test_messages_are_delayed() -> None:
    sloth = Sloth()
    world, driven, follower = pair(sloth)
    world.run_until(lambda: height(driven) == 1, 600)
    world.run_for(29)
    assert height(follower) == 0
    world.run_for(2)
    assert height(follower) >= 1
    assert sloth.peers == {"n"}


class Forger(Participant):
    """Answers no ping as it ought to, and sends a ping of its own at each that it hears."""

    def __init__(self) -> None:
        self.heard_of: list[Fields] = []

    def received(self, peer: str, message: Fields) -> None:
        self.heard_of.append(message)

    def outgoing(self, peer: str, message: Fields) -> Fields:
        if isinstance(message, Headers) and message.headers:
            self.host.send(peer, Ping(77))
            self.host.send("nobody", Ping(78))
            return Headers(message.headers[-1:])
        return message


def test_messages_are_replaced_and_sent() -> None:
    forger = Forger()
    world, driven, follower = pair(forger)
    world.run_until(lambda: height(follower) >= 3, 600)
    pongs = [message.nonce for message in forger.heard_of if type(message).__name__ == "Pong"]
    assert pongs.count(77) >= 3
    assert 78 not in pongs
    assert unsent(world, driven) == 0


def test_a_participant_outlives_crashes_and_its_timers_do_not() -> None:
    starts: list[int] = []
    rings: list[int] = []

    class Ringer(Participant):
        def started(self) -> None:
            starts.append(self.host.now.mono_ns)
            self.host.after(10, lambda: rings.append(len(starts)))

    world, driven, _ = pair(Ringer())
    world.run_for(5)
    driven.crash()
    driven.start()
    world.run_for(30)
    assert (len(starts), rings) == (2, [2])


def test_an_object_drives_one_host() -> None:
    participant = Participant()
    world, _, _ = pair(participant)
    with pytest.raises(ValueError, match="the participant of 'other' drives 'm' already"):
        world.add("other", participant=participant)


# --- withholding


class Secretive(Withholding):
    """Hides all that it finds."""

    def found(self, block: Block) -> bool:
        self.hide(block.hash)
        return True


def test_hidden_blocks_stay_hidden_until_they_are_released() -> None:
    secretive = Secretive()
    world, driven, follower = pair(secretive)
    world.run_until(lambda: height(driven) >= 5, 600)
    late = world.add("late", ["m", "n"])
    late.start()
    world.run_for(60)
    assert (height(follower), height(late)) == (0, 0)
    assert max(peer.hello.tip_height for peer in late.node.queries.peers() if peer.hello is not None) == 0
    driven.ask(SetMining(None))
    world.run_for(1)
    third = driven.node.queries.at(3)
    assert third is not None
    secretive.release(third, ["late"])
    assert (secretive.is_hidden(third.hash), secretive.is_hidden(third.hash, "late")) == (True, False)
    world.run_until(lambda: height(late) == height(follower) == 3, 30)
    secretive.release(driven.node.queries.tip)
    assert not secretive.is_hidden(third.hash)
    world.run_until(world.agree, 30)
    assert height(follower) == height(driven) >= 5


# --- in scenarios


def test_registered_participants() -> None:
    assert list(PARTICIPANTS.built_in) == ["honest", "selfish"]
    assert PARTICIPANTS.named("selfish") is SelfishMiner


def test_an_honest_attacker_earns_its_share() -> None:
    report = play(SCENARIOS.named("attack"), 1, {"participant": "honest", "blocks": 150}).report
    assert report.failures == []
    assert report.figures is not None
    assert report.figures.revenue == pytest.approx(report.figures.found_share, abs=0.02)
    assert report.figures.deepest <= 2


def test_choices_follow_from_the_seed() -> None:
    """Each machine has a stream of its own."""
    world, driven, _ = pair(Participant())
    again, _, _ = pair(Participant())
    other = World(world.rulebook, 2).add("m", participant=Participant())
    draws = [host.random.below(2**32) for host in (driven, again.hosts["m"], other)]  # type: ignore[attr-defined]
    assert draws[0] == draws[1] != draws[2]
    assert draws[0] != Random(1).below(2**32)
