"""Each kernel of Ed25519 against the oracle: edge cases, honest, damaged and twisted signatures, any batches."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha512
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from pychain import native
from pychain.native import reference
from pychain.native._arguments import Entropy
from pychain.native.reference import ed25519

from .ed25519_vectors import EDGE_POINTS, EDGE_SCALARS, ORDER, TAMING
from .kernels import ED25519_KERNELS
from .vectors import RFC_8032, SMALL_ORDER_ENCODINGS

TORSION = [ed25519.decompress(encoding) for encoding in SMALL_ORDER_ENCODINGS[:8]]
ORDINARY_TOTAL, LONG_TOTAL, PART = 20_000, 1_000_000, 2_500
CHUNK = 512  # signatures that the core sums together


class Signed(NamedTuple):
    public_key: bytes
    message: bytes
    signature: bytes


@pytest.fixture(scope="module", params=ED25519_KERNELS)
def kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    """Force one kernel for the tests of a module; module scope, so that Hypothesis may use it."""
    before = [name for name in native.kernel.split(",") if name.startswith("ed25519:")]
    native.use(request.param)
    yield request.param
    native.use(before[0])


def verify_batch(batch: list[Signed], entropy: Entropy = None, threads: int = 0) -> list[bool]:
    keys, messages, signatures = zip(*batch, strict=True) if batch else ((), (), ())
    return native.verify_batch(keys, messages, signatures, entropy, threads)


def sign(rng: random.Random, message: bytes, seed: bytes | None = None) -> Signed:
    public_key, secret_key = crypto_sign_seed_keypair(rng.randbytes(32) if seed is None else seed)
    return Signed(public_key, message, crypto_sign(message, secret_key)[:64])


def with_s(signed: Signed, s: int) -> Signed:
    return signed._replace(signature=signed.signature[:32] + s.to_bytes(32, "little"))


def s_of(signed: Signed) -> int:
    return int.from_bytes(signed.signature[32:], "little")


def twisted(rng: random.Random, message: bytes) -> Signed:
    """A signature whose A and R may each have a part of small order: valid, by the cofactored equation alone."""
    secret, nonce = rng.randrange(1, ORDER), rng.randrange(1, ORDER)
    a, r = (
        ed25519.compress(ed25519.add(ed25519.double_multiply(scalar, ed25519.BASE, 0, ed25519.IDENTITY), torsion))
        for scalar, torsion in ((secret, rng.choice(TORSION)), (nonce, rng.choice(TORSION)))
        if torsion is not None
    )
    s = (nonce + ed25519.challenge(r, a, message) * secret) % ORDER
    return Signed(a, message, r + s.to_bytes(32, "little"))


def damaged(rng: random.Random, signed: Signed) -> Signed:
    """One bit of the key, of the message or of the signature is flipped."""
    parts = list(signed)
    which = rng.randrange(3) if signed.message else rng.choice((0, 2))
    part = bytearray(parts[which])
    bit = rng.randrange(8 * len(part))
    part[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(part)
    return Signed(*parts)


def mixture(rng: random.Random) -> Signed:
    """Honest, damaged, twisted and edge cases, so that both answers are common."""
    message = rng.randbytes(rng.choice((0, 1, 32, 47, 48, 142, 175, 176, 300)))
    kind = rng.randrange(10)
    if kind < 4:
        return sign(rng, message)
    if kind < 7:
        return damaged(rng, sign(rng, message))
    if kind < 8:
        return twisted(rng, message)
    if kind < 9:
        return damaged(rng, twisted(rng, message))
    r, s = rng.choice(EDGE_POINTS + SMALL_ORDER_ENCODINGS), rng.choice(EDGE_SCALARS)
    return Signed(rng.choice(EDGE_POINTS + SMALL_ORDER_ENCODINGS), message, r + s.to_bytes(32, "little"))


# --- published and constructed cases


def test_rfc_8032_vectors(kernel: str) -> None:
    vectors = [Signed(*vector) for vector in RFC_8032]
    assert all(native.verify(*vector) for vector in vectors)
    for copies in (1, 3, 60):
        assert verify_batch(vectors * copies) == [True] * len(vectors) * copies


@pytest.mark.parametrize("case", TAMING, ids=lambda case: case.about)
def test_taming_the_many_eddsas(kernel: str, case: tuple[str, bytes, bytes, bytes, bool]) -> None:
    _, message, public_key, signature, valid = case
    assert reference.verify(public_key, message, signature) is valid
    assert native.verify(public_key, message, signature) is valid
    honest = Signed(*RFC_8032[1])
    batch = [honest, Signed(public_key, message, signature), honest]
    for copies in (1, 30):
        assert verify_batch(batch * copies) == [True, valid, True] * copies


def test_all_pairs_of_small_order(kernel: str) -> None:
    """ZIP-215: any two encodings of points of small order are a valid A and R with S = 0, and with no other S."""
    pairs = list(itertools.product(SMALL_ORDER_ENCODINGS, repeat=2))
    for s, valid in ((0, True), (1, False), (ORDER, False)):
        batch = [Signed(a, b"Zcash", r + s.to_bytes(32, "little")) for a, r in pairs]
        assert [native.verify(*signed) for signed in batch] == [valid] * len(pairs)
        assert verify_batch(batch) == [valid] * len(pairs)


def test_every_edge_of_encodings(kernel: str) -> None:
    """All A, R and S at the edges of field and order: as the oracle says, alone and in one batch."""
    batch = [
        Signed(a, b"edge", r + s.to_bytes(32, "little"))
        for a, r, s in itertools.product(EDGE_POINTS, EDGE_POINTS, (0, 1, ORDER - 1, ORDER, ORDER + 1))
    ]
    # The oracle's answer to most of them: there is no such point, or S is too large.
    points = {encoding: ed25519.decompress(encoding) for encoding in EDGE_POINTS}
    assert 8 < sum(point is not None for point in points.values()) < len(EDGE_POINTS)

    def expected(signed: Signed) -> bool:
        possible = points[signed.public_key] and points[signed.signature[:32]] and s_of(signed) < ORDER
        return bool(possible) and reference.verify(*signed)

    answers = [expected(signed) for signed in batch]
    assert 0 < sum(answers) < len(answers)
    assert [native.verify(*signed) for signed in batch] == answers
    assert verify_batch(batch) == answers


def test_s_at_the_order(kernel: str) -> None:
    """A known nonce and key give a valid signature with any S: here 0, 1, L - 1, and those that equal them modulo L."""
    message = b"chosen S"
    for s in (0, 1, ORDER - 1):
        # [S]B = R + [k]A with A = [a]B of small order, so that k does not matter, and R = [S]B.
        a = SMALL_ORDER_ENCODINGS[4]
        r = ed25519.compress(ed25519.double_multiply(s, ed25519.BASE, 0, ed25519.IDENTITY))
        for more, valid in ((0, True), (ORDER, False), (2 * ORDER, False)):
            signed = Signed(a, message, r + (s + more).to_bytes(32, "little"))
            assert reference.verify(*signed) is valid
            assert native.verify(*signed) is valid
            assert verify_batch([signed] * 20) == [valid] * 20


# --- random ones


def check_against_the_oracle(part: int) -> None:
    rng = random.Random(f"oracle {part}")
    batch = [mixture(rng) for _ in range(PART)]
    expected = [reference.verify(*signed) for signed in batch]
    assert PART // 4 < sum(expected) < 3 * PART // 4
    for name in ED25519_KERNELS:
        native.use(name)
        assert verify_batch(batch) == expected
        assert [native.verify(*signed) for signed in batch] == expected


@pytest.fixture
def restored() -> Iterator[None]:
    """The kernels in use are again in use afterwards."""
    before = native.kernel.split(",")
    yield
    for name in before:
        native.use(name)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("part", range(ORDINARY_TOTAL // PART))
def test_against_the_oracle(part: int) -> None:
    check_against_the_oracle(part)


@pytest.mark.long
@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("part", range(ORDINARY_TOTAL // PART, LONG_TOTAL // PART))
def test_a_million_against_the_oracle(part: int) -> None:
    check_against_the_oracle(part)


def check_against_libsodium(name: str, total: int, seed: int) -> None:
    """Equality for honest keys, whose signatures are good or damaged; S + L is among the damage."""
    rng = random.Random(seed)
    native.use(name)
    done = 0
    keys = [crypto_sign_seed_keypair(rng.randbytes(32)) for _ in range(500)]
    while done < total:
        batch = []
        for _ in range(min(2_000, total - done)):
            public_key, secret_key = rng.choice(keys)
            message = rng.randbytes(rng.randrange(200))
            signed = Signed(public_key, message, crypto_sign(message, secret_key)[:64])
            kind = rng.randrange(8)
            if kind == 0:
                signed = with_s(signed, s_of(signed) + ORDER)
            elif kind < 4:
                _, message, signature = damaged(rng, signed)
                signed = Signed(public_key, message, signature)
            batch.append(signed)
        expected = [native.verify_strict(*signed) for signed in batch]
        assert verify_batch(batch, threads=1) == expected
        assert [native.verify(*signed) for signed in batch[:100]] == expected[:100]
        done += len(batch)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("name", ED25519_KERNELS)
def test_against_libsodium(name: str) -> None:
    check_against_libsodium(name, 20_000, 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("name", ED25519_KERNELS)
def test_a_million_against_libsodium(name: str) -> None:
    check_against_libsodium(name, 1_000_000, 2)


# --- batches

POOL_RNG = random.Random("pool")
POOL = [sign(POOL_RNG, POOL_RNG.randbytes(length)) for length in range(160)]


@given(
    st.lists(st.tuples(st.integers(0, len(POOL) - 1), st.booleans()), max_size=150), st.binary(min_size=32, max_size=32)
)
@settings(max_examples=60, deadline=None)
def test_batches_of_any_make(kernel: str, picks: list[tuple[int, bool]], seed: bytes) -> None:
    """Any number of any of the pool's signatures, repeated or not, any of them bad: bisection finds just those."""
    batch = [POOL[i] if good else with_s(POOL[i], (s_of(POOL[i]) + 1) % ORDER) for i, good in picks]
    assert verify_batch(batch, seed) == [good for _, good in picks]


@pytest.mark.parametrize("size", [2, 3, 5, 6, 7, 8, 9, 63, 64, 65, CHUNK - 1, CHUNK, CHUNK + 1, 1000, 2 * CHUNK + 1])
def test_one_bad_signature_anywhere(kernel: str, size: int) -> None:
    rng = random.Random(size)
    batch = [POOL[rng.randrange(len(POOL))] for _ in range(size)]
    for threads, bad in ((0, None), (1, 0), (2, size - 1), (3, rng.randrange(size))):
        expected = [i != bad for i in range(size)]
        trial = [signed if good else with_s(signed, 0) for signed, good in zip(batch, expected, strict=True)]
        assert verify_batch(trial, threads=threads) == expected


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 1.0])
def test_many_bad_signatures(kernel: str, share: float) -> None:
    rng = random.Random(share)
    good = [rng.random() > share for _ in range(1200)]
    batch = [POOL[i % len(POOL)] for i in range(len(good))]
    trial = [signed if valid else damaged(rng, signed) for signed, valid in zip(batch, good, strict=True)]
    assert verify_batch(trial) == good


def test_repeated_keys_are_summed_apart_from_others(kernel: str) -> None:
    """Few senders with many transfers each, one of them bad: folding terms must not mix up the senders."""
    rng = random.Random("senders")
    seeds = [rng.randbytes(32) for _ in range(7)]
    batch = [sign(rng, rng.randbytes(40), rng.choice(seeds)) for _ in range(700)]
    assert verify_batch(batch) == [True] * len(batch)
    other = next(i for i, signed in enumerate(batch) if signed.public_key != batch[100].public_key)
    batch[100] = batch[100]._replace(public_key=batch[other].public_key)
    assert verify_batch(batch) == [i != 100 for i in range(len(batch))]


def test_keys_that_collide_in_the_table(kernel: str) -> None:
    """Keys with equal words where the table of keys looks: more of them than it probes for."""
    keys = []
    rng = random.Random("collisions")
    while len(keys) < 40:
        word = rng.randbytes(8)
        candidate = word + bytes(8) + word + rng.randbytes(7) + bytes([len(keys)])  # word ^ word is 0 for all
        if ed25519.decompress(candidate) is not None:
            keys.append(candidate)
    batch = [Signed(key, b"", EDGE_POINTS[2] + bytes(32)) for key in keys]
    batch += [signed for pair in zip(POOL[:40], batch, strict=True) for signed in pair]
    assert verify_batch(batch) == [reference.verify(*signed) for signed in batch]


def test_errors_that_cancel_under_equal_weights(kernel: str) -> None:
    """S + 1 in one and S - 1 in another leave the unweighted sum of all equations as it was."""
    batch = POOL[:64]
    batch = [with_s(batch[0], s_of(batch[0]) + 1), with_s(batch[1], s_of(batch[1]) - 1), *batch[2:]]
    total = ed25519.IDENTITY
    for signed in batch:
        a, r = ed25519.decompress(signed.public_key), ed25519.decompress(signed.signature[:32])
        assert a is not None
        assert r is not None
        k = ed25519.challenge(signed.signature[:32], signed.public_key, signed.message)
        difference = ed25519.double_multiply(s_of(signed), ed25519.BASE, ORDER - k, a)
        total = ed25519.add(total, ed25519.add(difference, ed25519.negate(r)))
    assert ed25519.is_identity(ed25519.times_cofactor(total))
    for _ in range(20):
        assert verify_batch(batch) == [False, False, *[True] * 62]


def weights(seed: bytes, count: int) -> list[int]:
    """The weights of a chunk's signatures, as docs/signatures.md gives them; the chunk begins with signature 0."""
    drawn = b"".join(sha512(seed + bytes(8) + i.to_bytes(8, "little")).digest() for i in range(-(-count // 4)))
    return [int.from_bytes(drawn[16 * i : 16 * i + 16], "little") for i in range(count)]


def test_weights_make_the_difference(kernel: str) -> None:
    """With weights known beforehand two errors can cancel; so they are derived from a seed, and each seed gives
    others."""
    seed, other = bytes(range(32)), bytes(range(1, 33))
    first, second = weights(seed, 64)[:2]
    error = 12345
    batch = [
        with_s(POOL[0], (s_of(POOL[0]) + error * pow(first, -1, ORDER)) % ORDER),
        with_s(POOL[1], (s_of(POOL[1]) - error * pow(second, -1, ORDER)) % ORDER),
        *POOL[2:64],
    ]
    assert verify_batch(batch, seed) == [True] * 64, "these weights are not those that were expected"
    assert verify_batch(batch, other) == [False, False, *[True] * 62]
    assert verify_batch(batch) == [False, False, *[True] * 62]


def test_entropy_is_asked_once_for_each_batch(kernel: str) -> None:
    asked: list[int] = []

    def source(count: int) -> bytes:
        asked.append(count)
        return bytes([len(asked)]) * count

    for _ in range(3):
        assert verify_batch(POOL, source) == [True] * len(POOL)
    assert asked == [32, 32, 32]


def test_threads_of_python_share_the_core(kernel: str) -> None:
    """Batches from several threads at once, each on several threads of its own."""
    batches = [[POOL[(i * j) % len(POOL)] for j in range(600)] for i in range(1, 7)]
    for i, batch in enumerate(batches):
        batch[i] = with_s(batch[i], 5)
    with ThreadPoolExecutor(6) as pool:
        for i, answers in enumerate(pool.map(lambda batch: verify_batch(batch, threads=3), batches)):
            assert answers == [j != i for j in range(600)]


def test_long_and_unequal_messages(kernel: str) -> None:
    rng = random.Random("lengths")
    batch = [sign(rng, rng.randbytes(length)) for length in (0, 100_000, 1, 47, 48, 175, 176, 5_000, 303, 304, 64)]
    assert verify_batch(batch) == [True] * len(batch)
    batch[1] = batch[1]._replace(message=batch[1].message[:-1] + b"\0\0")
    assert verify_batch(batch) == [i != 1 for i in range(len(batch))]


# --- arguments


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: native.verify_batch([bytes(31)], [b""], [bytes(64)]), "public key must be 32 bytes, not 31"),
        (lambda: native.verify_batch([bytes(32)], [b""], [bytes(65)]), "signature must be 64 bytes, not 65"),
        (lambda: native.verify_batch([bytes(31), bytes(33)], [b""] * 2, [bytes(64)] * 2), "must be 32 bytes, not 31"),
        (lambda: native.verify_batch([bytes(32)], ["a"], [bytes(64)]), "message must be bytes, not str"),
        (lambda: native.verify_batch([None], [b""], [bytes(64)]), "public key must be bytes, not NoneType"),
        (lambda: native.verify_batch([bytes(32)], [memoryview(bytes(8)).cast("I")], [bytes(64)]), "of single bytes"),
        (lambda: native.verify_batch([bytes(32)], [], [bytes(64)]), "as many keys as messages"),
        (lambda: native.verify_batch([], [], [], bytes(31)), "entropy must be 32 bytes, not 31"),
        (lambda: native.verify_batch([], [], [], lambda count: bytes(count - 1)), "entropy must be 32 bytes, not 31"),
        (lambda: native.verify_batch([], [], [], None, -1), "threads -1 is not within"),
        (lambda: native.verify_batch([], [], [], None, 65), "threads 65 is not within"),
        (lambda: native.verify(bytes(32), "a", bytes(64)), "message must be bytes, not str"),
    ],
)
def test_bad_arguments_are_one_clear_line(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_bytes_like_arguments(kernel: str) -> None:
    public_key, message, signature = POOL[9]
    assert native.verify(bytearray(public_key), memoryview(message), bytearray(signature))
    batch = ([memoryview(public_key)] * 20, [bytearray(message)] * 20, [memoryview(signature)] * 20)
    assert native.verify_batch(*batch) == [True] * 20
    assert native.verify_batch([], [], []) == []
