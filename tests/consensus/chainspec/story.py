"""The language of the cases: a story forges named blocks and states, step by step, what a chain must answer.

A story does not depend on the chain it is played on. Its blocks come from tests.support.forge, which shares no code
with the project, and its steps are data that `play` puts to any `ChainDriver`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tests.consensus.chainspec.limits import CLOCK, NETWORK
from tests.support.driver import ACCEPTED, ChainDriver, DriverFactory, Verdict, pending, rejected
from tests.support.forge import Forged, forge, genesis
from tests.support.keys import Signer
from tests.support.network import Network

Answer = Callable[[ChainDriver], Any]


@dataclass(frozen=True)
class Step:
    """One question to the chain: the answer that it must give, and the tip that it must have afterwards.

    allowed: the correct answers; empty if the step has no answer. tip: None if it may or may not have moved.
    """

    text: str
    ask: Answer
    allowed: tuple[Any, ...]
    tip: Forged | None


class Story:
    """Blocks and steps of one case."""

    def __init__(self, network: Network = NETWORK, clock: int = CLOCK) -> None:
        self.network = network
        self.clock_at_start = clock
        self.genesis = replace(genesis(network), time=max(network.genesis_time, network.start_time - network.spacing_s))
        """Genesis, its time moved up so that block 1 follows at start_time."""
        self.steps: list[Step] = []
        self._tip = self.genesis
        self._names: dict[bytes, str] = {self.genesis.hash: "genesis"}

    # --- making

    def block(self, name: str, on: Forged, transfers: Sequence[bytes] = (), **unusual: Any) -> Forged:
        """A block that is valid except for `unusual` (see `forge`). It is made, not submitted."""
        made = forge(self.network, name, on, transfers, **unusual)
        assert made.hash not in self._names, f"{name} is the same block as {self._names[made.hash]}"
        self._names[made.hash] = name
        return made

    def pay(
        self, sender: Signer, sequence: int, recipient: Signer | bytes, amount: int, fee: int = 0, memo: bytes = b""
    ) -> bytes:
        """A signed transfer."""
        to = recipient if isinstance(recipient, bytes) else recipient.key
        return sender.transfer(self.network.genesis_hash, sequence, to, amount, fee, memo)

    # --- telling: blocks

    def grow(self, name: str, on: Forged, transfers: Sequence[bytes] = (), **unusual: Any) -> Forged:
        """A new block that becomes the tip."""
        made = self.block(name, on, transfers, **unusual)
        self.becomes_tip(made)
        return made

    def branch(self, name: str, on: Forged, transfers: Sequence[bytes] = (), **unusual: Any) -> Forged:
        """A new block that is kept, but does not become the tip."""
        made = self.block(name, on, transfers, **unusual)
        self.is_kept(made)
        return made

    def becomes_tip(self, block: Forged) -> None:
        """Accepted, and the new tip."""
        self._tip = block
        self._submit(block, block.raw, ACCEPTED)

    def arrives(self, block: Forged) -> None:
        """Accepted; the driver may connect blocks that waited for it at once or later, so the tip is not checked."""
        self._submit(block, block.raw, ACCEPTED)
        self.steps[-1] = replace(self.steps[-1], tip=None)

    def is_kept(self, block: Forged) -> None:
        """Accepted, but the tip stays."""
        self._submit(block, block.raw, ACCEPTED)

    def is_rejected(self, block: Forged, code: str, *, raw: bytes | None = None) -> None:
        """Rejected with this code, the tip stays; `raw`: other bytes to send than the block's own."""
        self._submit(block, block.raw if raw is None else raw, rejected(code))

    def is_pending(self, block: Forged, code: str) -> None:
        self._submit(block, block.raw, pending(code))

    def stays_out(self, block: Forged, *codes: str, pending_as: str = "prev-blk-not-found") -> None:
        """Not accepted: rejected with one of these codes or pending, depending on what the chain checks first."""
        self._submit(block, block.raw, pending(pending_as), *[rejected(code) for code in codes])

    # --- telling: the rest

    def transaction(self, raw: bytes, code: str | None) -> None:
        """A transaction outside a block is valid, or rejected with this code."""
        verdict = ACCEPTED if code is None else rejected(code)
        self._step(f"a lone transaction of {len(raw)} bytes", lambda chain: chain.submit_transaction(raw), verdict)

    def account(self, key: Signer | bytes, balance: int, sequence: int) -> None:
        """The balance of an account at the tip, and its next sequence."""
        raw = key if isinstance(key, bytes) else key.key
        self._step(f"account {raw.hex()[:8]}", lambda chain: tuple(chain.account(raw)), (balance, sequence))

    def clock(self, wall_s: int) -> None:
        """The node's clock moves; the next submission shows the effect on pending blocks."""
        step = Step(f"the clock shows {wall_s}", lambda chain: chain.set_clock(wall_s), (), None)
        self.steps.append(step)

    def invalidate(self, block: Forged, *, tip: Forged) -> None:
        self._tip = tip
        self._step(f"invalidate {block.name}", lambda chain: chain.invalidate(block.hash))

    def reconsider(self, block: Forged, *, tip: Forged) -> None:
        self._tip = tip
        self._step(f"reconsider {block.name}", lambda chain: chain.reconsider(block.hash))

    def _submit(self, block: Forged, raw: bytes, *allowed: Verdict) -> None:
        self._step(f"submit {block.name}", lambda chain: chain.submit(raw), *allowed)

    def _step(self, text: str, ask: Answer, *allowed: Any) -> None:
        self.steps.append(Step(text, ask, allowed, self._tip))

    def name_of(self, block_hash: bytes) -> str:
        return self._names.get(block_hash, block_hash[::-1].hex())

    def codes(self) -> set[str]:
        """The rule codes that steps require, without alternatives."""
        verdicts = [step.allowed[0] for step in self.steps if len(step.allowed) == 1]
        return {verdict.code for verdict in verdicts if isinstance(verdict, Verdict) and verdict.code}


Tell = Callable[[Story], None]


@dataclass(frozen=True)
class Case:
    """A case: its name, its fork diagram, and its story on a network."""

    name: str
    diagram: str
    make: Callable[[], Story]


def case(network: Network = NETWORK, *, clock: int = CLOCK, into: list[Case]) -> Callable[[Tell], Tell]:
    """Register the decorated function, whose docstring is the fork diagram, as a case."""

    def register(tell: Tell) -> Tell:
        diagram = inspect.getdoc(tell)
        assert diagram is not None, f"case {tell.__name__} has no diagram"
        into.append(Case(tell.__name__, diagram, partial(_told, tell, network, clock)))
        return tell

    return register


def _told(tell: Tell, network: Network, clock: int) -> Story:
    story = Story(network, clock)
    tell(story)
    return story


def play(story: Story, make_driver: DriverFactory) -> None:
    """Play a story on a chain. AssertionError at the first wrong answer."""
    chain = make_driver(story.network.toml(), story.clock_at_start)
    assert chain.tip() == story.genesis.hash
    for number, step in enumerate(story.steps, 1):
        answer = step.ask(chain)
        told = f"step {number} of {len(story.steps)}, {step.text}"
        if step.allowed:
            assert answer in step.allowed, f"{told}: {answer}, expected {step.allowed}"
        if step.tip is not None:
            tip = story.name_of(chain.tip())
            assert tip == step.tip.name, f"{told}: the tip is {tip}, expected {step.tip.name}"
