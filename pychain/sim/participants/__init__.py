"""Participants, by name. Packages add more through the entry point group `pychain.participants`, users through files.

They are classes: each driven machine has its own object.
"""

from __future__ import annotations

from pychain.base.registry import Registry
from pychain.sim.participants.participant import Delayed, Participant, Work
from pychain.sim.participants.selfish import SelfishMiner
from pychain.sim.participants.withholding import Withholding

__all__ = ["PARTICIPANTS", "Delayed", "Participant", "SelfishMiner", "Withholding", "Work"]

PARTICIPANTS: Registry[type[Participant]] = Registry(
    "participant", "pychain.participants", Participant, (Participant, SelfishMiner), of_classes=True
)
