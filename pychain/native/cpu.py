"""The machine and the build, for the reader of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CpuInfo:
    """The processor's name, those instruction sets it has that the kernels use, the C compiler."""

    name: str
    features: tuple[str, ...]
    compiler: str
