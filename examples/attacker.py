"""An attacker of one's own in a simulated network, beside an honest miner and a selfish one of the same hash rate.

A participant drives a machine with a real node. This one hides each block that it finds until it has a second one on
top, or until another miner finds one. `pychain sim run attack --participant examples/attacker.py` plays it from the
command line.

    honest: found ...% of the blocks, has ...% of the chain
    patient-v1: found ...% of the blocks, has ...% of the chain
    selfish: found ...% of the blocks, has ...% of the chain
"""

from __future__ import annotations

from pychain.base.registry import Plugin
from pychain.chain.block import Block
from pychain.node.events import Event, NewTip
from pychain.p2p.messages import Fields, Headers
from pychain.sim.participants import Withholding
from pychain.sim.play import play
from pychain.sim.scenarios import SCENARIOS


class Patient(Withholding):
    """Two blocks at once, or one in haste."""

    name = "patient-v1"

    def found(self, block: Block) -> bool:
        self.hide(block.hash)
        return True  # the node has it and mines on, its peers hear nothing

    def received(self, peer: str, message: Fields) -> None:
        super().received(peer, message)
        if isinstance(message, Headers) and message.headers:
            self.show()

    def heard(self, event: Event) -> None:
        if isinstance(event, NewTip) and self.is_hidden(event.header.prev_hash):
            self.show()

    def show(self) -> None:
        """Once the node has done with what it is about."""
        self.host.after(0, lambda: self.release(self.host.node.queries.tip))


def main() -> None:
    attack, plugins = SCENARIOS.named("attack"), [Plugin(Patient)]
    for participant in ("honest", Patient.name, "selfish"):
        given = {"participant": participant, "alpha": 0.4, "blocks": 120}
        report = play(attack, seed=1, given=given, plugins=plugins).report
        assert report.failures == [], report.failures
        figures = report.figures
        print(f"{participant}: found {figures.found_share:.0%} of the blocks, has {figures.revenue:.0%} of the chain")


if __name__ == "__main__":
    main()
