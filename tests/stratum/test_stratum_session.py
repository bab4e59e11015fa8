"""One miner's connection without sockets: states, shares, jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pychain.base.time import NS, Now
from pychain.chain.address import encode_address
from pychain.chain.target import bits_from_target
from pychain.chain.transaction import Coinbase, Transfer, decode_transaction
from pychain.consensus.semantic import check_block, verify_block
from pychain.ledger.template import BlockTemplate
from pychain.sim.entropy import SeededEntropy
from pychain.stratum.server.jobs import Workbook
from pychain.stratum.server.limits import (
    LOGIN_TIMEOUT_NS,
    MAX_BAD_SHARES,
    MAX_FAULTS,
    MAX_SENT_JOBS,
    MAX_USERS_A_CONNECTION,
    RETARGET_WINDOW_S,
    START_DIFFICULTY,
)
from pychain.stratum.server.registry import Registry
from pychain.stratum.server.session import Effect, Say, Session, Solved
from pychain.stratum.server.states import TRANSITIONS, WHY_NO_SHARE, SessionEvent, SessionState
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.support.builder import spec_of
from tests.support.network import GENESIS_TIME, Network
from tests.support.stratum import Found, MinerClient, StratumError

SPEC = spec_of(Network())
MINER, OTHER = (encode_address(SPEC.hrp, dev_key(number).public_key) for number in (1, 2))
HARD_BITS = bits_from_target(2**224)
"""Difficulty 1: no test finds a block of it."""
EASY = 2.0**-28
"""A share of 16 hashes."""
BITCOIN_ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
NOW = Now(NS, GENESIS_TIME + 20)


def transfer(sequence: int) -> Transfer:
    return sign_transfer(dev_key(0), SPEC.genesis_hash, sequence, Payment(dev_key(3).public_key, 5))


def template(bits: int = HARD_BITS, parent: bytes = b"\x11" * 32, transfers: int = 0) -> BlockTemplate:
    return BlockTemplate(
        height=7,
        prev_hash=parent,
        bits=bits,
        time=NOW.wall_s,
        min_time=GENESIS_TIME + 1,
        max_time=NOW.wall_s + SPEC.max_future_s,
        coinbase_amount=5_000_000_000,
        fees=0,
        transfers=tuple(transfer(sequence) for sequence in range(transfers)),
    )


class Line:
    """A session and the miner at the other end of its line."""

    def __init__(self, workbook: Workbook | None = None, extranonce1: bytes = b"\x00\x00\x00\x07") -> None:
        self.workbook = workbook or Workbook(SeededEntropy(1, "stratum"))
        self.registry = Registry(NOW.mono_ns)
        self.session = Session(SPEC, self.workbook, self.registry, "192.0.2.1:5", extranonce1, NOW)
        self.client = MinerClient()
        self.solved: list[Solved] = []
        self.ended: list[str] = []
        self.now = NOW

    def carry(self, effects: list[Effect]) -> list[dict[str, Any]]:
        """The messages among effects."""
        lines = []
        for effect in effects:
            if isinstance(effect, Say):
                lines.append(effect.line)
            elif isinstance(effect, Solved):
                self.solved.append(effect)
                lines.append(effect.answer)
            else:
                self.ended.append(effect.reason)
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
        return [self.client.take(line) for line in lines]

    def say(self, line: bytes) -> list[dict[str, Any]]:
        return self.carry(self.session.receive(line, self.now))

    def call(self, method: str, *params: Any) -> Any:
        call_id, line = self.client.request(method, *params)
        [answer] = [message for message in self.say(line.strip()) if message["id"] == call_id]
        if answer["error"] is not None:
            raise StratumError(*answer["error"][:2])
        return answer["result"]

    def refuses(self, method: str, *params: Any) -> int:
        """The code of an expected error."""
        with pytest.raises(StratumError) as refused:
            self.call(method, *params)
        return refused.value.code

    def log_in(self, user: str = MINER, password: str = "x") -> Line:
        self.client.subscribed(self.call("mining.subscribe", "tests/1.0"))
        assert self.call("mining.authorize", user, password) is True
        return self

    def renew(self, made: BlockTemplate) -> Line:
        self.workbook.renew(made)
        self.carry(self.session.offer(self.now))
        return self

    def submit(self, found: Found, user: str = MINER) -> Any:
        return self.call("mining.submit", user, *found.params)

    def refuses_share(self, found: Found, user: str = MINER) -> int:
        return self.refuses("mining.submit", user, *found.params)


def ready(password: str = f"x,d={EASY}", made: BlockTemplate | None = None) -> Line:
    line = Line()
    line.workbook.renew(made or template())
    return line.log_in(password=password)


# --- logging in


def test_the_table_has_a_row_for_every_state_and_event() -> None:
    assert set(TRANSITIONS) == set(WHY_NO_SHARE) == set(SessionState)
    assert all(set(row) == set(SessionEvent) for row in TRANSITIONS.values())


@pytest.mark.parametrize("authorize_first", [False, True])
def test_work_comes_after_both_steps_in_any_order(authorize_first: bool) -> None:
    line = Line()
    line.workbook.renew(template())
    share = ("mining.submit", MINER, "1", "00000000", "00000000", "00000000")
    assert line.refuses(*share) == 25
    if authorize_first:
        assert line.call("mining.authorize", MINER) is True
        assert line.refuses(*share) == 25
        assert line.client.told == []
        line.client.subscribed(line.call("mining.subscribe"))
    else:
        line.client.subscribed(line.call("mining.subscribe"))
        assert line.refuses(*share) == 24
        assert line.client.told == []
        assert line.call("mining.authorize", MINER) is True
    assert [method for method, _ in line.client.told] == ["mining.set_difficulty", "mining.notify"]
    assert line.refuses(*share) == 21, "no such job"


def test_a_subscription_has_four_bytes_of_each_extra_nonce() -> None:
    line = Line(extranonce1=b"\xde\xad\xbe\xef")
    result = line.call("mining.subscribe", "cpuminer/2.5.1", "an old session")
    assert result[1:] == ["deadbeef", 4]
    assert line.session.agent == "cpuminer/2.5.1"
    assert line.call("mining.extranonce.subscribe") is True


@pytest.mark.parametrize(
    "user",
    [
        "",
        "rig",
        "x" * 200,
        MINER[:-1],
        f" {MINER}",
        f"{MINER}\n",
        f"{MINER}.a\x1b[2J",
        None,
        7,
        BITCOIN_ADDRESS,
    ],
)
def test_a_user_is_an_address_of_this_network(user: object) -> None:
    line = Line()
    assert line.refuses("mining.authorize", user) == 24
    assert line.refuses("mining.authorize") == 24
    assert line.registry.workers == []


def test_a_connection_can_have_several_workers_of_one_address() -> None:
    line = ready()
    assert line.call("mining.authorize", f"{MINER}.two") is True
    assert line.refuses("mining.authorize", OTHER) == 24
    line.submit(line.client.search())
    line.submit(line.client.search(), user=f"{MINER}.two")
    assert line.refuses_share(line.client.search(), user=f"{MINER}.three") == 24
    assert {worker.user: worker.tally.accepted for worker in line.registry.workers} == {MINER: 1, f"{MINER}.two": 1}
    for number in range(MAX_USERS_A_CONNECTION - 2):
        line.call("mining.authorize", f"{MINER}.{number}")
    assert line.refuses("mining.authorize", f"{MINER}.toomany") == 24
    line.session.close()
    assert {worker.connections for worker in line.registry.workers} == {0}


def test_a_connection_that_does_not_log_in_is_closed() -> None:
    line = Line()
    line.call("mining.subscribe")
    assert line.carry(line.session.tick(Now(NS + LOGIN_TIMEOUT_NS - 1, 0))) == []
    assert [message["method"] for message in line.carry(line.session.tick(Now(NS + LOGIN_TIMEOUT_NS, 0)))] == [
        "client.show_message"
    ]
    assert len(line.ended) == 1
    assert line.say(b'{"id":1,"method":"mining.subscribe","params":[]}') == [], "and not listened to any more"


# --- jobs


def test_a_job_s_coinbase_is_ours_and_pays_the_user() -> None:
    line = ready(made=template(transfers=3))
    work = line.client.work
    assert work is not None
    assert len(work.branch) == 2
    coinbase = decode_transaction(work.coinbase(b"\x01\x02\x03\x04", b"\x05\x06\x07\x08"))
    assert isinstance(coinbase, Coinbase)
    assert (coinbase.height, coinbase.recipient, coinbase.amount) == (7, dev_key(1).public_key, 5_000_000_000)
    assert coinbase.extra[:8] == bytes([1, 2, 3, 4, 5, 6, 7, 8])


def test_a_solution_is_a_complete_block_and_is_submitted_before_its_answer() -> None:
    line = ready(made=template(bits=bits_from_target(2**250), transfers=5))
    found = line.client.search(target=2**250)
    assert line.submit(found) is True
    [solved] = line.solved
    assert solved.block.hash == found.hash
    assert json.loads(solved.answer)["result"] is True
    block = verify_block(SPEC, solved.block.raw)
    check_block(SPEC, block)
    assert len(block.transactions) == 6


def test_a_share_that_is_not_a_block_is_only_counted() -> None:
    line = ready()
    found = line.client.search()
    assert line.submit(found) is True
    assert line.solved == []
    assert line.registry.total.accepted == line.session.tally.accepted == 1
    assert line.registry.total.last_share_s == NOW.wall_s


def test_a_new_tip_cleans_the_table_and_a_fresh_template_does_not() -> None:
    line = ready()
    first = line.client.work
    assert first is not None
    assert first.clean
    kept = line.client.search()
    line.renew(template(transfers=1))
    second = line.client.work
    assert second is not None
    assert not second.clean
    assert second.job_id != first.job_id
    assert line.submit(kept) is True, "its parent is still the tip"
    late = line.client.search()
    line.renew(template(parent=b"\x22" * 32))
    assert line.client.work is not None
    assert line.client.work.clean
    assert line.refuses_share(late) == 21
    assert line.refuses_share(kept) == 22, "it came before, which says more"


def test_a_share_on_an_old_tip_is_stale_before_the_new_job_is_sent() -> None:
    line = ready()
    found = line.client.search()
    line.workbook.renew(template(parent=b"\x22" * 32))
    assert line.refuses_share(found) == 21
    line.workbook.renew(None)
    assert line.refuses_share(found) == 21


def test_jobs_are_dropped_in_order() -> None:
    line = ready()
    first = line.client.search()
    for _ in range(MAX_SENT_JOBS - 1):
        line.renew(template())
    assert line.submit(first) is True
    line.renew(template())
    assert line.refuses_share(first) == 21
    ids = [params[0] for method, params in line.client.told if method == "mining.notify"]
    assert len(set(ids)) == len(ids) == MAX_SENT_JOBS + 1
    assert all(int(job_id, 16) > 0 for job_id in ids)


def test_two_connections_never_hash_the_same_header() -> None:
    book = Workbook(SeededEntropy(1, "stratum"))
    book.renew(template())
    headers = set()
    for number in range(1, 4):
        line = Line(book, extranonce1=number.to_bytes(4, "big")).log_in()
        work = line.client.work
        assert work is not None
        headers.add(work.header(line.client.extranonce1, bytes(4), work.time, 0, work.version))
    book.renew(template())  # the same template again
    again = Line(book, extranonce1=(1).to_bytes(4, "big")).log_in()
    assert again.client.work is not None
    headers.add(again.client.work.header(again.client.extranonce1, bytes(4), again.client.work.time, 0, 1))
    assert len(headers) == 4


def test_while_there_is_no_template_a_miner_waits() -> None:
    line = Line().log_in()
    assert line.client.work is None
    line.renew(template())
    assert line.client.work is not None


# --- shares


def test_a_share_counts_once() -> None:
    line = ready()
    found = line.client.search()
    assert line.submit(found) is True
    assert line.refuses_share(found) == 22
    assert line.registry.total.accepted == 1


def test_a_share_that_is_too_easy_does_not_count() -> None:
    line = ready()
    work = line.client.work
    assert work is not None
    found = line.client.search(target=2**256, above=int(2**224 / EASY))
    assert [line.refuses_share(found), line.refuses_share(found)] == [23, 23]


def test_a_share_by_the_rounded_difficulty_1_counts() -> None:
    """2^224 / d, and not 0xFFFF * 2^208 / d: some miners search for that."""
    line = ready(password=f"d={2.0**-31}")
    found = line.client.search(target=2**255, above=line.client.work.share_target if line.client.work else 0)
    assert line.submit(found) is True


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, "zz"),
        (1, "000000"),
        (1, "00 00 00"),
        (1, "0000000000"),
        (1, 7),
        (2, "0"),
        (2, None),
        (3, "0x12345678"),
        (3, "-1234567"),
        (0, 5),
        (2, "00000000"),
        (2, "ffffffff"),
    ],
)
def test_a_share_that_is_malformed_or_out_of_time_is_refused(place: int, value: object) -> None:
    line = ready()
    params: list[Any] = list(line.client.search().params)
    params[place] = value
    assert line.refuses("mining.submit", MINER, *params) == 20
    assert line.refuses("mining.submit", MINER, *params[:3]) == 20
    assert line.refuses("mining.submit", MINER, *params, "00000000", "00000000") == 20


def test_time_may_be_rolled_as_far_as_blocks_may_be_in_the_future() -> None:
    line = ready()
    work = line.client.work
    assert work is not None
    for time, code in [
        (NOW.wall_s + SPEC.max_future_s, None),
        (NOW.wall_s + SPEC.max_future_s + 1, 20),
        (GENESIS_TIME + 1, None),
        (GENESIS_TIME, 20),
    ]:
        line.client.work = replace(work, time=time)
        found = line.client.search()
        assert (line.refuses_share(found) if code else line.submit(found)) == (code or True)


# --- versions (BIP 310)


def test_versions_are_rolled_inside_the_agreed_mask() -> None:
    line = Line()
    line.workbook.renew(template(bits=bits_from_target(2**252)))
    granted = line.call(
        "mining.configure",
        ["version-rolling", "subscribe-extranonce", "info", "a-novelty"],
        {"version-rolling.mask": "00fff000", "version-rolling.min-bit-count": 2},
    )
    assert granted == {
        "version-rolling": True,
        "version-rolling.mask": "00ffe000",
        "subscribe-extranonce": True,
        "info": False,
        "a-novelty": False,
    }
    line.log_in(password=f"d={EASY}")
    line.client.mask = 0x00FFE000
    assert line.submit(line.client.search(rolled=0x00A00000, target=2**252)) is True
    assert line.solved[0].block.header.version == 0x00A00001
    assert line.submit(line.client.search()) is True, "the sixth parameter may be missing"
    assert line.refuses_share(line.client.search(rolled=0x01000000)) == 20
    assert line.refuses_share(line.client.search(rolled=0x00000001)) == 20


def test_without_an_agreement_no_bit_may_be_rolled() -> None:
    line = ready()
    line.client.mask = 0x1FFFE000
    assert line.refuses_share(line.client.search(rolled=0x2000)) == 20
    for mask in ("00000fff", "no mask", 5):
        granted = line.call("mining.configure", ["version-rolling"], {"version-rolling.mask": mask})
        assert granted["version-rolling"] is False
    assert line.call("mining.configure") == {}
    assert line.call("mining.configure", "version-rolling", 5) == {}


# --- difficulty


def test_a_share_is_never_harder_than_a_block() -> None:
    line = ready(password="x", made=template(bits=bits_from_target(2**250)))
    work = line.client.work
    assert work is not None
    assert work.difficulty < START_DIFFICULTY
    assert work.network_target <= work.share_target <= work.network_target * 1.001
    line.renew(template(bits=bits_from_target(2**251)))
    assert line.client.work is not None
    assert line.client.work.difficulty == pytest.approx(work.difficulty / 2)


def test_difficulty_is_sent_before_its_job() -> None:
    line = ready(password="x")
    assert line.client.difficulty == START_DIFFICULTY
    line.call("mining.suggest_difficulty", 2.0**-20)
    assert [method for method, _ in line.client.told[-2:]] == ["mining.set_difficulty", "mining.notify"]
    assert line.client.work is not None
    assert (line.client.work.difficulty, line.client.work.clean) == (2.0**-20, False)
    assert line.refuses("mining.suggest_difficulty", "hard") == 20
    assert line.refuses("mining.suggest_difficulty") == 20


def test_a_share_counts_by_the_difficulty_of_its_job() -> None:
    line = ready(password="x")
    line.call("mining.suggest_difficulty", EASY)
    easy = line.client.search()
    line.call("mining.suggest_difficulty", 2.0**-14)
    assert line.submit(easy) is True
    hard = line.client.search(target=2**256, above=int(2**224 * 2.0**14))
    assert line.refuses_share(hard) == 23


def test_whole_difficulties_are_written_without_a_fraction() -> None:
    line = Line()
    line.workbook.renew(template(bits=bits_from_target(2**180)))
    line.log_in(password="d=1024")
    assert line.client.told[0] == ("mining.set_difficulty", [1024])
    assert isinstance(line.client.told[0][1][0], int)


@pytest.mark.parametrize("password", ["x", "", "d=", "d=0", "d=nan", "d=-5", "x;e=5", "d=1e400", None, 5])
def test_other_passwords_choose_no_difficulty(password: Any) -> None:
    line = Line()
    line.workbook.renew(template(bits=bits_from_target(2**180)))
    assert line.log_in(password=password).client.difficulty == START_DIFFICULTY


def test_a_demanded_minimum_is_kept() -> None:
    line = Line()
    line.workbook.renew(template(bits=bits_from_target(2**180)))
    granted = line.call("mining.configure", ["minimum-difficulty"], {"minimum-difficulty.value": 64})
    assert granted == {"minimum-difficulty": True}
    assert line.call("mining.configure", ["minimum-difficulty"], {"minimum-difficulty.value": -1}) == {
        "minimum-difficulty": False
    }
    assert line.log_in().client.difficulty == 64


def test_idle_miners_get_an_easier_job() -> None:
    line = ready(password="x")
    later = Now(NS + RETARGET_WINDOW_S * NS, NOW.wall_s + RETARGET_WINDOW_S)
    before = line.client.work
    line.carry(line.session.tick(later))
    assert line.client.difficulty < START_DIFFICULTY
    assert line.client.work is not before


# --- invalid input


def test_some_garbage_is_tolerated() -> None:
    line = ready()
    for _ in range(MAX_FAULTS - 1):
        assert line.say(b"GET / HTTP/1.1") == []
    assert line.ended == []
    line.say(b"{}}")
    assert len(line.ended) == 1
    assert line.session.receive(b'{"id":1,"method":"mining.subscribe","params":[]}', NOW) == []


def test_unknown_methods_are_answered_and_counted() -> None:
    line = Line()
    for _ in range(MAX_FAULTS):
        assert line.refuses("eth_submitLogin", 1, 2) == 20
    assert len(line.ended) == 1


def test_shares_that_could_never_count_end_the_connection() -> None:
    line = ready()
    easy = line.client.search(target=2**256, above=int(2**224 / EASY))
    for _ in range(MAX_BAD_SHARES - 1):
        assert line.refuses_share(easy) == 23
    assert line.submit(line.client.search()) is True
    for _ in range(2 * MAX_BAD_SHARES):
        assert line.refuses("mining.submit", MINER, "0", "00000000", "00000000", "00000000") == 21
    for _ in range(MAX_BAD_SHARES):
        assert line.ended == []
        assert line.refuses_share(easy) == 23
    assert len(line.ended) == 1


def test_notifications_are_served_and_not_answered() -> None:
    line = Line()
    line.workbook.renew(template())
    assert line.say(b'{"id":null,"method":"mining.subscribe","params":[]}') == []
    assert line.say(b'{"method":"nothing"}') == []
    assert line.say(b'{"id":5,"result":true,"error":null}') == []
    told = line.say(json.dumps({"method": "mining.authorize", "params": [MINER]}).encode())
    assert [message["method"] for message in told] == ["mining.set_difficulty", "mining.notify"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(MINER),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
methods = st.sampled_from(
    [
        "mining.configure",
        "mining.subscribe",
        "mining.authorize",
        "mining.submit",
        "mining.suggest_difficulty",
        "mining.extranonce.subscribe",
        "mining.notify",
    ]
)
calls = st.builds(
    lambda call_id, method, params: json.dumps({"id": call_id, "method": method, "params": params}).encode(),
    json_values,
    methods,
    st.lists(json_values, max_size=7),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(calls | st.binary(max_size=60), max_size=12), st.booleans())
def test_for_any_input_every_answer_is_a_message_and_the_session_survives(lines: list[bytes], logged_in: bool) -> None:
    line = ready() if logged_in else Line()
    for each in lines:
        for message in line.say(each):
            assert "method" in message or set(message) == {"id", "result", "error"}
    assert line.solved == []
    assert line.registry.total.accepted == 0
