"""What the machine and the build are, for a person who reads a benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CpuInfo:
    """The processor's name, the instruction sets that the kernels look for and that are present, the C compiler."""

    name: str
    features: tuple[str, ...]
    compiler: str
