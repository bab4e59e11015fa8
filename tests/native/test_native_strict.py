"""Batches by the strict rule against libsodium itself, by kernel: every published edge case, and those left to
libsodium."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest

from pychain import native
from pychain.native import _libsodium, reference, signatures
from pychain.native.reference import ed25519

from .ed25519_vectors import EDGE_POINTS, EDGE_SCALARS, ORDER, TAMING
from .kernels import ED25519_KERNELS
from .test_native_ed25519 import TORSION, Signed, mixture, sign
from .vectors import RFC_8032, SMALL_ORDER_ENCODINGS

MIXED = 4_000


@pytest.fixture(scope="module", params=ED25519_KERNELS)
def kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    before = [name for name in native.kernel.split(",") if name.startswith("ed25519:")]
    native.use(request.param)
    yield request.param
    native.use(before[0])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Signed]:
    """The signatures that libsodium checked one by one."""
    found: list[Signed] = []

    def verify_strict(public_key: bytes, message: bytes, signature: bytes) -> bool:
        found.append(Signed(public_key, message, signature))
        return _libsodium.verify_strict(public_key, message, signature)

    monkeypatch.setattr(signatures, "verify_strict", verify_strict)
    return found


def check(batch: list[Signed], threads: int = 0) -> list[bool]:
    """The answers, which are libsodium's."""
    answers = native.verify_strict_batch(*zip(*batch, strict=True), threads=threads)
    assert answers == [_libsodium.verify_strict(*signed) for signed in batch]
    return answers


def with_torsion(rng: random.Random, a: ed25519.Point, r: ed25519.Point) -> Signed:
    """A signature that is valid by ZIP-215, with these parts of small order in A and in R."""
    secret, nonce = rng.randrange(1, ORDER), rng.randrange(1, ORDER)
    keys = [
        ed25519.compress(ed25519.add(ed25519.double_multiply(scalar, ed25519.BASE, 0, ed25519.IDENTITY), part))
        for scalar, part in ((secret, a), (nonce, r))
    ]
    message = rng.randbytes(142)
    s = (nonce + ed25519.challenge(keys[1], keys[0], message) * secret) % ORDER
    return Signed(keys[0], message, keys[1] + s.to_bytes(32, "little"))


def test_published_cases(kernel: str) -> None:
    batch = [Signed(*vector) for vector in RFC_8032]
    batch += [Signed(case.public_key, case.message, case.signature) for case in TAMING]
    assert check(batch)[: len(RFC_8032)] == [True] * len(RFC_8032)
    for copies in (2, 40):
        check(batch * copies)


def test_all_pairs_of_small_order(kernel: str) -> None:
    """Valid by ZIP-215 with S = 0, and all refused by libsodium."""
    pairs = itertools.product(SMALL_ORDER_ENCODINGS, repeat=2)
    batch = [Signed(a, b"Zcash", r + bytes(32)) for a, r in pairs]
    assert all(native.verify_batch(*zip(*batch, strict=True)))
    assert not any(check(batch))


def test_every_edge_of_encodings(kernel: str) -> None:
    rng = random.Random(1)
    honest = sign(rng, b"edge")
    batch = [
        Signed(a, b"edge", r + s.to_bytes(32, "little"))
        for a, r in itertools.product((*EDGE_POINTS, honest.public_key), (*EDGE_POINTS, honest.signature[:32]))
        for s in (*EDGE_SCALARS, int.from_bytes(honest.signature[32:], "little"))
    ]
    assert check(batch).count(True) == 1


def test_parts_of_small_order(kernel: str, asked: list[Signed]) -> None:
    """All pairs, several times: libsodium is asked where there is such a part, and answers for itself."""
    rng = random.Random(2)
    torsion = [part for part in TORSION if part is not None]
    pairs = [pair for pair in itertools.product(torsion, repeat=2) for _ in range(4)]
    batch = [with_torsion(rng, *pair) for pair in pairs]
    answers = check(batch)
    assert asked == [
        signed for pair, signed in zip(pairs, batch, strict=True) if not all(map(ed25519.is_identity, pair))
    ]
    twisted_keys = [
        answer
        for (a, r), answer in zip(pairs, answers, strict=True)
        if not ed25519.is_identity(a) and ed25519.is_identity(r)
    ]
    assert any(twisted_keys)  # by chance: the part of A times k vanishes
    assert not all(twisted_keys)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 63, 512, 1_300])
def test_honest_signatures_need_no_help(kernel: str, count: int, asked: list[Signed]) -> None:
    rng = random.Random(count)
    seeds = [rng.randbytes(32) for _ in range(max(1, count // 5))]
    batch = [sign(rng, rng.randbytes(rng.randrange(300)), rng.choice(seeds)) for _ in range(count)]
    for threads in (1, 2):
        assert native.verify_strict_batch(*zip(*batch, strict=True), threads=threads) == [True] * count
    assert asked == []


def test_mixtures(kernel: str) -> None:
    rng = random.Random(3)
    answers = check([mixture(rng) for _ in range(MIXED)])
    assert MIXED // 5 < answers.count(True) < MIXED


def test_few_at_a_time(kernel: str) -> None:
    rng = random.Random(4)
    assert native.verify_strict_batch([], [], []) == []
    for count in range(1, 9):
        for _ in range(20):
            check([mixture(rng) for _ in range(count)])


def test_without_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "_in_core", False)
    rng = random.Random(5)
    batch = [mixture(rng) for _ in range(50)]
    check(batch)
    for key in (*SMALL_ORDER_ENCODINGS, batch[0].public_key):
        assert native.is_canonical_large_order(key) is reference.is_canonical_large_order(key)


def test_keys_that_may_be_paid(kernel: str) -> None:
    """As the oracle says: at all edges, for any bytes, and for keys with a part of small order, which may be paid."""
    rng = random.Random(6)
    mixed = [with_torsion(rng, part, ed25519.IDENTITY).public_key for part in TORSION if part is not None]
    keys = [*EDGE_POINTS, *SMALL_ORDER_ENCODINGS, *mixed, *(rng.randbytes(32) for _ in range(200))]
    answers = [native.is_canonical_large_order(key) for key in keys]
    assert answers == [reference.is_canonical_large_order(key) for key in keys]
    assert len(set(answers)) == 2
