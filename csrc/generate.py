"""Write csrc/generated: SHA-256 unrolled for many lanes, with everything folded that is known before the lanes start.

The compression function of FIPS 180-4 is run once on symbolic words. A word is a sum of a constant, of uniform values
(the same in all lanes, known when a search begins) and of lane values. Sums merge, functions of constants are computed
here, functions of uniform values move to a prologue that runs once per search, and lines with unused results are
dropped. What remains is straight-line C in a few macros (ADD, BIG0, CH, ...) that each instruction set defines for its
own vectors, so one output serves them all, and its operations can be counted.

Usage: python csrc/generate.py           write the files
       python csrc/generate.py --count   print the operation counts that docs/kernels.md explains
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

OUTPUT = Path(__file__).resolve().parent / "generated"
ROUNDS = 64
AHEAD = 10  # a word of the schedule is computed this many rounds before its own, to be out of the critical path
MASK = 2**32 - 1


def primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def integer_root(number: int, degree: int) -> int:
    """The greatest integer whose power is at most `number`."""
    root = 0
    for bit in reversed(range(number.bit_length() // degree + 1)):
        if (root | 1 << bit) ** degree <= number:
            root |= 1 << bit
    return root


# FIPS 180-4, 4.2.2 and 5.3.3: the first 32 bits after the point of the roots of the first primes.
K = [integer_root(prime << 96, 3) & MASK for prime in primes(64)]
IV = [integer_root(prime << 64, 2) & MASK for prime in primes(8)]


def rotr(x: int, n: int) -> int:
    return (x >> n | x << (32 - n)) & MASK


# FIPS 180-4, 4.1.2. BIG and SMALL are its capital and small sigmas.
FUNCTIONS: dict[str, Callable[..., int]] = {
    "BIG0": lambda x: rotr(x, 2) ^ rotr(x, 13) ^ rotr(x, 22),
    "BIG1": lambda x: rotr(x, 6) ^ rotr(x, 11) ^ rotr(x, 25),
    "SMALL0": lambda x: rotr(x, 7) ^ rotr(x, 18) ^ x >> 3,
    "SMALL1": lambda x: rotr(x, 17) ^ rotr(x, 19) ^ x >> 10,
    "CH": lambda x, y, z: x & y ^ ~x & z & MASK,
    "MAJ": lambda x, y, z: x & y ^ x & z ^ y & z,
}

# Vector operations of each macro. AVX-512 rotates in one operation and has any function of three inputs in another.
# AVX2 makes a rotation of two shifts, joined by the xors that follow anyway; MAJ shares one xor with the round before.
COSTS = {
    "avx512": {"ADD": 1, "BIG0": 4, "BIG1": 4, "SMALL0": 4, "SMALL1": 4, "CH": 1, "MAJ": 1},
    "avx2": {"ADD": 1, "BIG0": 11, "BIG1": 11, "SMALL0": 9, "SMALL1": 9, "CH": 3, "MAJ": 3},
}


@dataclass(frozen=True)
class Word:
    """constant + the uniform values + the lane values, modulo 2^32; both kinds of value are C expressions."""

    constant: int = 0
    uniforms: tuple[str, ...] = ()
    lanes: tuple[str, ...] = ()

    def __add__(self, other: Word) -> Word:
        constant = (self.constant + other.constant) & MASK
        return Word(constant, self.uniforms + other.uniforms, self.lanes + other.lanes)

    @property
    def is_constant(self) -> bool:
        return not self.uniforms and not self.lanes

    @property
    def scalar(self) -> str:
        """The part that is the same in all lanes, as scalar C."""
        literal = [f"0x{self.constant:08x}u"] if self.constant or not self.uniforms else []
        return " + ".join([*self.uniforms, *literal])


@dataclass
class Prologue:
    """Scalar code that runs once per search and writes the inputs of the lanes to the array `u`."""

    names: dict[str, str] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)

    def call(self, function: str, arguments: Sequence[Word]) -> Word:
        code = f"{function}({', '.join(word.scalar for word in arguments)})"
        return Word(uniforms=(self.names.setdefault(code, f"p{len(self.names)}"),))

    def broadcast(self, word: Word) -> str:
        """The scalar part of `word` as a vector."""
        if not word.uniforms:
            return f"SET({word.scalar})"
        return f"SET(u[{self.slots.setdefault(word.scalar, len(self.slots))}])"

    def code(self) -> list[str]:
        values = [f"const uint32_t {name} = {code};" for code, name in self.names.items()]
        return [*values, *(f"u[{slot}] = {code};" for code, slot in self.slots.items())]


@dataclass
class Program:
    """Straight-line code for the lanes: lines of a name and its expression. `prefix` distinguishes two programs."""

    prefix: str
    prologue: Prologue = field(default_factory=Prologue)
    lines: list[tuple[str, str]] = field(default_factory=list)

    def bind(self, name: str, word: Word) -> Word:
        """`word` as one value: itself if it is one already, else a new variable that holds the sum."""
        if not word.lanes or self.sum(word).isidentifier():
            return word
        self.lines.append((self.prefix + name, self.sum(word)))
        return Word(lanes=(self.prefix + name,))

    def sum(self, word: Word) -> str:
        """The sum as nested ADDs: the scalar part and the oldest values innermost, the newest last."""
        if not word.lanes:
            return self.prologue.broadcast(word)
        total, *rest = word.lanes
        if word.constant or word.uniforms:
            total = f"ADD({total}, {self.prologue.broadcast(word)})"
        for value in rest:
            total = f"ADD({total}, {value})"
        return total

    def call(self, function: str, *arguments: Word) -> Word:
        """A function of words that are one value each."""
        if all(word.is_constant for word in arguments):
            return Word(FUNCTIONS[function](*(word.constant for word in arguments)))
        if not any(word.lanes for word in arguments):
            return self.prologue.call(function, arguments)
        return Word(lanes=(f"{function}({', '.join(map(self.sum, arguments))})",))

    def output(self, name: str, word: Word) -> None:
        """Store `word` in a variable that the surrounding code has declared."""
        self.lines.append((name, self.sum(word)))

    def live(self, outputs: set[str]) -> list[tuple[str, str]]:
        """The lines that the outputs depend on."""
        needed, kept = set(outputs), []
        for name, expression in reversed(self.lines):
            if name in needed:
                kept.append((name, expression))
                needed.update(re.findall(r"[a-z]\w*", expression))
        return kept[::-1]


class Schedule:
    """The words of a block as the rounds need them, computed AHEAD of their use."""

    def __init__(self, program: Program, block: Sequence[Word]) -> None:
        self.program = program
        self.words = list(block)

    def extend(self, count: int) -> None:
        """Compute up to `count` words, each summed in the order in which its parts are ready."""
        call, words = self.program.call, self.words
        for t in range(len(words), min(count, ROUNDS)):
            total = words[t - 16] + words[t - 7] + call("SMALL0", words[t - 15]) + call("SMALL1", words[t - 2])
            words.append(self.program.bind(f"w{t}", total))

    def keyed(self, t: int) -> Word:
        """Word t plus the constant of its round."""
        self.extend(t + AHEAD)
        return self.words[t] + Word(K[t])


class StoredSchedule(Schedule):
    """A schedule stored by another program: the words that differ by lane are read back from `wk`."""

    def keyed(self, t: int) -> Word:
        word = super().keyed(t)
        return Word(lanes=(f"wk[{t}]",)) if t >= 16 and word.lanes else word


def compress(program: Program, state: Sequence[Word], schedule: Schedule) -> list[Word]:
    """The eight words of the state after one block, before the old state is added to them (FIPS 180-4, 6.2.2)."""
    a, b, c, d, e, f, g, h = state
    for t in range(ROUNDS):
        big1, ch = program.call("BIG1", e), program.call("CH", e, f, g)
        t1 = schedule.keyed(t) + h + ch + big1
        if len(t1.lanes) > 1:  # a single value costs one ADD in each of its two uses; more are summed once
            t1 = program.bind(f"t{t}", t1)
        t2 = program.call("MAJ", a, b, c) + program.call("BIG0", a)
        h, g, f, e, d, c, b = g, f, e, program.bind(f"e{t}", d + t1), c, b, a
        if len(t2.lanes) > 1:
            t2 = program.bind(f"m{t}", t2)
        a = program.bind(f"a{t}", t1 + t2)
    return [a, b, c, d, e, f, g, h]


def constants(values: Sequence[int]) -> list[Word]:
    return [Word(value) for value in values]


def lane_values(pattern: str, count: int) -> list[Word]:
    return [Word(lanes=(pattern.format(i),)) for i in range(count)]


def padding(size: int) -> list[Word]:
    """The words that end a message of `size` bytes: one bit, zeros, the length in bits (FIPS 180-4, 5.1.1)."""
    zeros = -(size // 4 + 3) % 16
    return constants([0x80000000, *[0] * zeros, 0, size * 8])


Lines = list[tuple[str, str]]


def header_block() -> list[Word]:
    """The second block of a header: three words of `tail`, the same in all lanes, the lane's `nonce`, the padding."""
    return [*(Word(uniforms=(f"tail[{i}]",)) for i in range(3)), Word(lanes=("nonce",)), *padding(80)]


def digest_block() -> list[Word]:
    """The digest s0 to s7 as a message."""
    return [*lane_values("s{}", 8), *padding(32)]


def first_hash(program: Program, schedule: Schedule) -> Lines:
    """Hash 1 from the uniform `midstate`: gives d0 to d7."""
    midstate = [Word(uniforms=(f"midstate[{i}]",)) for i in range(8)]
    state = compress(program, midstate, schedule)
    for i in range(8):
        program.output(f"d{i}", state[i] + midstate[i])
    return program.live({f"d{i}" for i in range(8)})


def search_first(prologue: Prologue) -> Lines:
    """Hash 1 of a search."""
    program = Program("x", prologue)
    return first_hash(program, Schedule(program, header_block()))


def search_schedule(prologue: Prologue) -> Lines:
    """Only the schedule of hash 1, which headers that differ in their first block share: gives wk[18] and on."""
    program = Program("x", prologue)
    schedule = Schedule(program, header_block())
    for t in range(16, ROUNDS):
        if schedule.keyed(t).lanes:
            program.output(f"wk[{t}]", schedule.keyed(t))
    return program.lines


def search_rounds(prologue: Prologue) -> Lines:
    """Hash 1 with a schedule that is stored in `wk`."""
    program = Program("x", prologue)
    return first_hash(program, StoredSchedule(program, header_block()))


def search_second() -> Lines:
    """Hash 2 of a search: gives only h7, the word that has the most significant bits of the hash."""
    program = Program("y")
    state = compress(program, constants(IV), Schedule(program, digest_block()))
    program.output("h7", state[7] + Word(IV[7]))
    return program.live({"h7"})


def interleave(one: Lines, two: Lines) -> Lines:
    """Both programs in one, each in its order, evenly mixed."""
    places = [(i / len(lines), lines[i]) for lines in (one, two) for i in range(len(lines))]
    return [line for _, line in sorted(places, key=lambda place: place[0])]


def final_hash() -> Lines:
    """The hash of the digest s0 to s7, in d0 to d7."""
    program = Program("x")
    state = compress(program, constants(IV), Schedule(program, digest_block()))
    for i in range(8):
        program.output(f"d{i}", state[i] + Word(IV[i]))
    return program.lines


def padding_schedule() -> list[str]:
    """Schedule plus constants of the block that ends a message of 64 bytes."""
    schedule = Schedule(Program("x"), padding(64))
    return [f"{schedule.keyed(t).scalar}," for t in range(ROUNDS)]


def operations(lines: Lines, costs: dict[str, int]) -> int:
    """Vector operations of a program, by the macros that it calls."""
    return sum(costs.get(macro, 0) for _, expression in lines for macro in re.findall(r"[A-Z]\w*", expression))


def text(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"/* {title} Written by generate.py. */", *lines, ""])


def statements(lines: Lines) -> list[str]:
    """C for the lines; the outputs d0 to d7, h7 and wk[...] are declared around it, all else here."""
    outputs = re.compile(r"[dh]\d|wk.*")
    return [f"{name} = {code};" if outputs.fullmatch(name) else f"const V {name} = {code};" for name, code in lines]


def lane_programs(prologue: Prologue) -> dict[str, tuple[str, Lines]]:
    """Each file of lane code: its title and lines. Their inputs from a search are written in `prologue`."""
    first, second, rounds = search_first(prologue), search_second(), search_rounds(prologue)
    mixed = interleave(second, first)
    mixed_rounds = interleave(second, rounds)
    return {
        "search_first": ("Hash 1 of a search: from `u` and `nonce` to d0 to d7.", first),
        "search_second": ("Hash 2 of a search: from s0 to s7 to h7.", second),
        "search_mixed": ("Hash 2 of a batch (s0 to s7 to h7) mixed with hash 1 of the next.", mixed),
        "search_schedule": ("The schedule of hash 1: from `u` and `nonce` to `wk`.", search_schedule(prologue)),
        "search_rounds": ("Hash 1 with its schedule: from `u`, `nonce` and `wk` to d0 to d7.", rounds),
        "search_mixed_rounds": ("Hash 2 (s0 to s7 to h7) mixed with hash 1 with its schedule.", mixed_rounds),
        "final_hash": ("The hash of a digest: from s0 to s7 to d0 to d7.", final_hash()),
    }


def files() -> dict[str, str]:
    """Every generated file by name."""
    prologue = Prologue()
    programs = lane_programs(prologue)
    made = {f"{name}.inc": text(title, statements(lines)) for name, (title, lines) in programs.items()}
    made["search_prologue.inc"] = text("Once a search: from `midstate` and `tail` to `u`.", prologue.code())
    made["search_slots.h"] = text("Slots of the array `u`.", [f"enum {{ SEARCH_SLOTS = {len(prologue.slots)} }};"])
    made["padding_64.inc"] = text("Schedule plus constants of the padding of 64 bytes.", padding_schedule())
    return made


def main() -> None:
    if sys.argv[1:] == ["--count"]:
        for name, (_, lines) in lane_programs(Prologue()).items():
            print(name, ", ".join(f"{isa} {operations(lines, costs)}" for isa, costs in COSTS.items()), sep=": ")
        return
    OUTPUT.mkdir(exist_ok=True)
    for name, content in files().items():
        (OUTPUT / name).write_text(content, encoding="ascii")


if __name__ == "__main__":
    main()
