"""The parts of Ed25519 in C against Python's integers, by kernel: the field at its limbs' extremes, scalars, sums."""

from __future__ import annotations

import ctypes
import itertools
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha512
from pathlib import Path

import pytest

from pychain.native.reference import ed25519

from .ed25519_vectors import EDGE_POINTS, ORDER, P
from .kernels import ED25519_KERNELS
from .vectors import SMALL_ORDER_ENCODINGS

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
COMPILER = shutil.which(os.environ.get("CC", "cc"))
TIMEOUT_S = 280
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", f"-I{CSRC}", "-pthread")
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SOURCES = [*sorted(map(str, (CSRC / "ed25519").glob("*.c"))), str(CSRC / "cpu.c")]
CHECK = str(Path(__file__).with_name("ed25519_check.c"))
OTHER_COMPILERS = [
    path for path in map(shutil.which, ("gcc", "clang")) if path and not os.path.samefile(path, COMPILER or path)
]
# Debian and Ubuntu: gcc-aarch64-linux-gnu and qemu-user (or qemu-user-static).
ARM_COMPILER = shutil.which("aarch64-linux-gnu-gcc")
ARM_EMULATOR = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")

pytestmark = pytest.mark.skipif(
    COMPILER is None or not ED25519_KERNELS, reason="no C compiler, so there is no C to check"
)

LIMBS, LIMB_BITS = 5, 51
TIGHT = 2**LIMB_BITS
# What the headers of the two fields promise: limbs of factors, of products, of what may be subtracted, carried.
BOUNDS = {
    "ed25519:portable": {"factor": 2**54, "product": TIGHT + 2**13, "subtrahend": 2**53 - 76, "minuend": 2**53},
    "ed25519:ifma": {"factor": 2**52, "product": 267 * 2**52, "subtrahend": 2**62 + 2**58, "minuend": 2**62 + 2**58},
}
Element = tuple[int, ...]


def build(target: Path, *flags: str, compiler: str | None = COMPILER) -> Path:
    assert compiler is not None
    command = [compiler, *FLAGS, *flags, *SOURCES, "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


class Parts:
    """One kernel's parts."""

    def __init__(self, kernel: str, library: Path) -> None:
        self.kernel = kernel
        self.bounds = BOUNDS[kernel]
        self.c = ctypes.CDLL(str(library))
        self.c.part_fill_base()
        self.lanes = ctypes.c_int.in_dll(self.c, "PART_LANES").value

    def each(self, name: str, a: list[Element], b: list[Element] | None = None) -> list[Element]:
        """A field operation on each pair of elements."""
        room = -len(a) % self.lanes
        count = len(a) + room
        first, second = ((x or a) + (x or a)[:1] * room for x in (a, b))
        array = ctypes.c_uint64 * (LIMBS * count)
        out = array()
        operation = self.c[f"part_{name}"]
        operation.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        operation(out, array(*itertools.chain(*first)), array(*itertools.chain(*second)), count)
        return [tuple(out[LIMBS * i : LIMBS * (i + 1)]) for i in range(len(a))]


@pytest.fixture(scope="module", params=ED25519_KERNELS)
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    name: str = request.param
    library = tmp_path_factory.mktemp("parts") / f"{name.replace(':', '-')}.so"
    flags = ["-DIFMA"] if name == "ed25519:ifma" else []
    source = Path(__file__).with_name("ed25519_parts.c")
    return Parts(name, build(library, "-O2", "-shared", "-fPIC", *flags, str(source)))


def value(limbs: Element) -> int:
    return sum(limb << LIMB_BITS * i for i, limb in enumerate(limbs))


def extremes(below: int) -> list[Element]:
    """Elements with each limb at an edge, all of them together or one against the rest; and random ones."""
    rng = random.Random(below)
    edges = [edge for edge in (0, 1, 18, 19, TIGHT - 20, TIGHT - 19, TIGHT - 1, TIGHT, below - 1) if edge < below]
    found = [(edge,) * LIMBS for edge in edges]
    for one, rest in itertools.permutations((0, 1, TIGHT - 1, below - 1), 2):
        found += [tuple(one if i == k else rest for i in range(LIMBS)) for k in range(LIMBS)]
    found += [
        tuple(p >> LIMB_BITS * i & TIGHT - 1 for i in range(LIMBS))
        for p in (P - 1, P, P + 1, 2**255 - 1, 2 * P % 2**255)
    ]
    found += [tuple(rng.choice(edges) for _ in range(LIMBS)) for _ in range(200)]
    found += [tuple(rng.randrange(below) for _ in range(LIMBS)) for _ in range(200)]
    return found


def pairs(first: list[Element], second: list[Element]) -> tuple[list[Element], list[Element]]:
    """Each of the first 40 with each of the first 40, and all with those in another order."""
    rng = random.Random(7)
    both = list(itertools.product(first[:40], second[:40]))
    both += [(a, rng.choice(second)) for a in first * 4]
    return [a for a, _ in both], [b for _, b in both]


def check_field(
    parts: Parts, name: str, a: list[Element], b: list[Element] | None, limit: int, right: Callable[[int, int], int]
) -> None:
    """The values are right modulo p, and the limbs within the limit."""
    for x, y, r in zip(a, b or a, parts.each(name, a, b), strict=True):
        assert value(r) % P == right(value(x), value(y)) % P, (name, x, y, r)
        assert max(r) < limit, (name, x, y, r)


def test_multiplication_and_squaring(parts: Parts) -> None:
    factors = extremes(parts.bounds["factor"])
    a, b = pairs(factors, factors)
    check_field(parts, "mul", a, b, parts.bounds["product"], lambda x, y: x * y)
    check_field(parts, "square", factors, None, parts.bounds["product"], lambda x, _: x * x)


def test_sums_and_differences(parts: Parts) -> None:
    a, b = pairs(extremes(parts.bounds["minuend"]), extremes(parts.bounds["subtrahend"]))
    check_field(parts, "add", a, b, 2**64, lambda x, y: x + y)
    check_field(parts, "sub", a, b, 2**54 if parts.kernel == "ed25519:portable" else 2**64, lambda x, y: x - y)


def test_carries(parts: Parts) -> None:
    """Lanes carry any columns to elements; the portable products need none."""
    if parts.kernel == "ed25519:portable":
        products = extremes(parts.bounds["product"])
        assert parts.each("carry", products) == products
    else:
        check_field(parts, "carry", extremes(2**64), None, TIGHT + 2**18, lambda x, _: x)
        elements = extremes(TIGHT + 2**18)
        check_field(parts, "negate", elements, None, 2**52, lambda x, _: -x)


def test_canonical_form_and_predicates(parts: Parts) -> None:
    elements = extremes(parts.bounds["factor"])
    canonical = [value(r) for r in parts.each("canonical", elements)]
    assert canonical == [value(x) % P for x in elements]
    assert 0 in canonical
    answers = [(zero == 1, odd == 1) for zero, odd, *_ in parts.each("predicates", elements)]
    assert answers == [(c == 0, c % 2 == 1) for c in canonical]


def test_selection(parts: Parts) -> None:
    a, b = extremes(parts.bounds["factor"]), extremes(parts.bounds["factor"] - 1)[::-1]
    assert parts.each("select", a, b) == [x if i % 2 == 0 else y for i, (x, y) in enumerate(zip(a, b, strict=True))]


def test_powers(parts: Parts) -> None:
    elements = extremes(parts.bounds["factor"])
    check_field(parts, "power", elements, None, TIGHT + 2**18, lambda x, _: pow(x, (P - 5) // 8, P))


def test_decompression(parts: Parts) -> None:
    rng = random.Random(3)
    encodings = [*EDGE_POINTS, *SMALL_ORDER_ENCODINGS, *(rng.randbytes(32) for _ in range(150))]
    for count in (1, 2, 7, 8, 9, 15, 16, 17, len(encodings)):
        valid, out = (ctypes.c_uint8 * count)(), (ctypes.c_uint64 * (3 * LIMBS * count))()
        parts.c.part_decompress(valid, out, b"".join(encodings[-count:]), ctypes.c_size_t(count))
        for i, encoding in enumerate(encodings[-count:]):
            point = ed25519.decompress(encoding)
            assert bool(valid[i]) is (point is not None)
            if point is not None:
                x, y, _, t = point
                limbs = [tuple(out[(3 * i + k) * LIMBS : (3 * i + k + 1) * LIMBS]) for k in range(3)]
                assert [value(c) % P for c in limbs] == [(y - x) % P, (y + x) % P, 2 * ed25519.D * t % P]


def spread(rng: random.Random, number: int) -> Element:
    """Limbs below 2^52 that make a number modulo p, by any of the ways there are."""
    number += P * rng.randrange(2)
    limbs = [number >> LIMB_BITS * i & TIGHT - 1 for i in range(LIMBS - 1)] + [number >> LIMB_BITS * (LIMBS - 1)]
    for i in range(LIMBS - 1):
        if limbs[i + 1] > 0 and limbs[i] < TIGHT and rng.randrange(2):
            limbs[i], limbs[i + 1] = limbs[i] + TIGHT, limbs[i + 1] - 1
    return tuple(limbs)


def test_the_group_of_prime_order(parts: Parts) -> None:
    """Multiples of the base point with each part of small order, and any points: as [L]P says, but for the identity."""
    rng = random.Random(19)
    torsion = [point for point in map(ed25519.decompress, SMALL_ORDER_ENCODINGS[:8]) if point is not None]
    points = list(torsion)
    for scalar in (1, 2, ORDER - 1, *(rng.randrange(1, ORDER) for _ in range(12))):
        honest = ed25519.double_multiply(scalar, ed25519.BASE, 0, ed25519.IDENTITY)
        points += [ed25519.add(honest, part) for part in torsion]
    points += [point for point in map(ed25519.decompress, random_encodings(rng, 40)) if point is not None]
    expected = [
        not ed25519.is_identity(point)
        and ed25519.is_identity(ed25519.double_multiply(ORDER, point, 0, ed25519.IDENTITY))
        for point in points
    ]
    assert len(set(expected)) == 2
    limbs = []
    for point in points:
        x, y, z, _ = point
        inverse = pow(z, -1, P)
        x, y = x * inverse % P, y * inverse % P
        limbs += [spread(rng, each % P) for each in (y - x, y + x, 2 * ed25519.D * x * y)]
    for count in (1, 2, 7, 8, 9, 15, 16, 17, len(points)):
        prime = (ctypes.c_uint8 * count)()
        flat = (ctypes.c_uint64 * (3 * LIMBS * count))(*itertools.chain(*limbs[-3 * count :]))
        parts.c.part_in_prime_group(prime, flat, ctypes.c_size_t(count))
        assert [answer == 1 for answer in prime] == expected[-count:]


def words(number: int, count: int = 4) -> list[int]:
    return [number >> 64 * i & 2**64 - 1 for i in range(count)]


def point_of(out: ctypes.Array[ctypes.c_uint64]) -> ed25519.Point:
    """The oracle's form of Y - X, Y + X, Z, T."""
    diff, total, z, t = (value(tuple(out[LIMBS * i : LIMBS * (i + 1)])) for i in range(4))
    half = pow(2, -1, P)
    x, y = (total - diff) * half % P, (total + diff) * half % P
    assert (x * y - z * t) % P == 0
    return x, y, z % P, t % P


def random_encodings(rng: random.Random, count: int) -> list[bytes]:
    """Points of all orders."""
    found = []
    while len(found) < count:
        candidate = rng.randbytes(32) if rng.randrange(4) else rng.choice(SMALL_ORDER_ENCODINGS)
        if ed25519.decompress(candidate) is not None:
            found.append(candidate)
    return found


def sum_of(encodings: list[bytes], scalars: list[int]) -> ed25519.Point:
    total = ed25519.IDENTITY
    for encoding, scalar in zip(encodings, scalars, strict=True):
        point = ed25519.decompress(encoding)
        assert point is not None
        total = ed25519.add(total, ed25519.double_multiply(scalar, point, 0, ed25519.IDENTITY))
    return total


@pytest.mark.parametrize(("longs", "shorts"), [(1, 0), (1, 1), (2, 1), (3, 5), (8, 8), (1, 40), (41, 40), (150, 150)])
def test_sums_of_points(parts: Parts, longs: int, shorts: int) -> None:
    """Scalars at their edges and random, by Straus's and by Pippenger's method, exact with parts of small order."""
    rng = random.Random(longs * 1000 + shorts)
    long_edges = (0, 1, ORDER - 1, ORDER, 2**252, 2**253 - 1, 2**128, (2**256 - 1) // 3 >> 3)
    short_edges = (0, 1, 2**127, 2**128 - 1, 2**64, (2**128 - 1) // 3, 0x7F << 121, 0x80808080 << 96)
    for random_share in (0, 1, 3):
        encodings = random_encodings(rng, longs + shorts)
        scalars = [
            rng.choice(edges) if rng.randrange(4) >= random_share else rng.randrange(limit)
            for edges, limit, count in ((long_edges, 2**253, longs), (short_edges, 2**128, shorts))
            for _ in range(count)
        ]
        out = (ctypes.c_uint64 * (4 * LIMBS))()
        multipliers = (ctypes.c_uint64 * (4 * len(scalars)))(*itertools.chain(*map(words, scalars)))
        sizes = ctypes.c_size_t(longs), ctypes.c_size_t(shorts)
        assert parts.c.part_sum(out, b"".join(encodings), multipliers, *sizes) == 1
        assert ed25519.compress(point_of(out)) == ed25519.compress(sum_of(encodings, scalars))


def test_sum_of_one_signature(parts: Parts) -> None:
    rng = random.Random(11)
    edges = (0, 1, 8, 2**126, 2**127 - 1, 2**64, 0x7777 << 100, 0x8888 << 108)
    base = ed25519.compress(ed25519.BASE)
    for trial in range(60):
        u, v = (rng.choice(edges) if trial % 2 else rng.randrange(2**127) for _ in range(2))
        vs = rng.choice((0, 1, ORDER - 1, 2**128 - 1, 2**128, 2**252)) if trial % 3 else rng.randrange(ORDER)
        encodings, add_a = random_encodings(rng, 2), rng.randrange(2)
        out = (ctypes.c_uint64 * (4 * LIMBS))()
        short = ctypes.c_uint64 * 2
        whole = (ctypes.c_uint64 * 4)(*words(vs))
        joined = b"".join(encodings)
        assert parts.c.part_single(out, joined, short(*words(u, 2)), add_a, short(*words(v, 2)), whole) == 1
        signs = [u if add_a else 8 * ORDER - u, 8 * ORDER - v, vs]
        assert ed25519.compress(point_of(out)) == ed25519.compress(sum_of([*encodings, base], signs))


def test_hashes(parts: Parts) -> None:
    """Every length about the edges of blocks, pieces empty or not, in groups that fill lanes and that do not."""
    rng = random.Random(5)
    for count in (0, 1, 7, 8, 9, 300):
        sizes = [
            rng.choice((0, 1, 16, 32, 47, 111, 112, 127, 128, 129, 240, rng.randrange(600))) for _ in range(4 * count)
        ]
        offsets = list(itertools.accumulate(sizes, initial=0))
        data = rng.randbytes(offsets[-1])
        out = (ctypes.c_uint8 * (64 * count))()
        ends = (ctypes.c_uint32 * len(offsets))(*offsets)
        parts.c.part_hash(out, data, ends, ctypes.c_size_t(count))
        expected = [sha512(data[offsets[4 * i] : offsets[4 * i + 4]]).digest() for i in range(count)]
        assert bytes(out) == b"".join(expected)
    for length in range(300):
        data = rng.randbytes(length)
        out = (ctypes.c_uint8 * 64)()
        ends = (ctypes.c_uint32 * 5)(0, length // 3, length // 3, length // 2, length)
        parts.c.part_hash(out, data, ends, ctypes.c_size_t(1))
        assert bytes(out) == sha512(data).digest()


@pytest.mark.parametrize("scalar_bits", [127, 128, 253])
def test_digits_of_windows(parts: Parts, scalar_bits: int) -> None:
    rng = random.Random(scalar_bits)
    numbers = [0, 1, 2**scalar_bits - 1, 2 ** (scalar_bits - 1), (2**scalar_bits - 1) // 3]
    numbers += [rng.randrange(2**scalar_bits) for _ in range(50)]
    for bits in range(3, 13):
        windows = (scalar_bits + bits) // bits
        for number in numbers:
            digits = (ctypes.c_int32 * windows)()
            parts.c.part_digits(digits, (ctypes.c_uint64 * 4)(*words(number)), scalar_bits, bits)
            assert sum(digit << bits * i for i, digit in enumerate(digits)) == number
            assert all(abs(digit) <= 2 ** (bits - 1) for digit in digits)


def test_scalars(parts: Parts) -> None:
    rng = random.Random(13)
    four = ctypes.c_uint64 * 4
    numbers = [k * ORDER + d for k in (0, 1, 2, 3, 2**256, 2**512 // ORDER) for d in (-1, 0, 1)]
    numbers += [2**512 - 1, 2**511, 2**256 - 1, 2**252, *(rng.randrange(2**512) for _ in range(500))]
    for number in (n for n in numbers if 0 <= n < 2**512):
        out = four()
        parts.c.scalar_reduce(out, (ctypes.c_uint64 * 8)(*words(number, 8)))
        assert list(out) == words(number % ORDER)
        low = number % 2**256
        assert parts.c.scalar_from_bytes(out, low.to_bytes(32, "little")) == (low < ORDER)
        assert list(out) == words(low)
    weights = [0, 1, 2**128 - 1, *(rng.randrange(2**128) for _ in range(200))]
    total, running = 0, (ctypes.c_uint64 * 7)()
    for weight in weights:
        scalar = rng.choice((0, ORDER - 1, 2**256 - 1, rng.randrange(2**256)))
        parts.c.scalar_accumulate(running, (ctypes.c_uint64 * 2)(*words(weight, 2)), four(*words(scalar)))
        total += weight * scalar
        assert list(running) == words(total, 7)
    out = four()
    parts.c.scalar_finish(out, running)
    assert list(out) == words(total % ORDER)
    for number in (0, 1, ORDER - 1, rng.randrange(ORDER)):
        parts.c.scalar_negate(out, four(*words(number)))
        assert list(out) == words(-number % ORDER)


def test_scalars_of_half_the_length(parts: Parts) -> None:
    rng = random.Random(17)
    edges = [
        0,
        1,
        2,
        2**126,
        2**127 - 1,
        2**127,
        2**127 + 1,
        2**128,
        ORDER // 2,
        ORDER // 3,
        ORDER - 2,
        ORDER - 1,
        2**252,
    ]
    for k in [*edges, *(rng.randrange(ORDER) for _ in range(2_000))]:
        u, v = (ctypes.c_uint64 * 2)(), (ctypes.c_uint64 * 2)()
        negative = parts.c.scalar_halve(u, v, (ctypes.c_uint64 * 4)(*words(k)))
        first, second = u[0] | u[1] << 64, v[0] | v[1] << 64
        assert first < 2**127
        assert 0 < second < 2**127
        assert (second * k - (-first if negative else first)) % ORDER == 0


def check_program(*command: str) -> list[str]:
    """What the program says after its batches, over buffers of exactly their size and on several threads."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_under_address_and_undefined_behaviour_sanitizers(tmp_path: Path) -> None:
    program = build(tmp_path / "check", *SANITIZERS, CHECK)
    assert sorted(check_program(str(program))) == [f"{name} agrees" for name in ED25519_KERNELS]


def test_threads_do_not_race(tmp_path: Path) -> None:
    program = build(tmp_path / "check", "-O1", "-g", "-fsanitize=thread", CHECK)
    assert sorted(check_program(str(program))) == [f"{name} agrees" for name in ED25519_KERNELS]


@pytest.mark.parametrize("compiler", OTHER_COMPILERS)
def test_other_compilers_build_the_same(compiler: str, tmp_path: Path) -> None:
    program = build(tmp_path / "check", "-O2", CHECK, compiler=compiler)
    assert sorted(check_program(str(program))) == [f"{name} agrees" for name in ED25519_KERNELS]


@pytest.mark.skipif(not (ARM_COMPILER and ARM_EMULATOR), reason="no cross compiler and emulator: not run on ARM")
def test_the_portable_kernel_on_arm(tmp_path: Path) -> None:
    assert ARM_EMULATOR is not None
    program = build(tmp_path / "check", "-O2", "-static", CHECK, compiler=ARM_COMPILER)
    assert check_program(ARM_EMULATOR, str(program)) == ["ed25519:portable agrees"]
