"""The rows as a chart: bars on a logarithmic scale, one panel per unit, drawn with matplotlib."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from msgspec import UNSET

from pychain.cli.bench.rows import Row
from pychain.cli.bench.scale import short

WIDTH_IN, LINE_IN, MARGIN_IN, DPI = 8.5, 0.24, 0.5, 144
KERNEL, BASELINE, INK, FAINT = "#2f6db3", "#b4bac4", "#1f2430", "#6b7280"
SMALL = 8.5


def formats() -> set[str]:
    """The file extensions that can be drawn."""
    return set(FigureCanvasAgg.get_supported_filetypes())


def draw(path: Path, rows: list[Row], title: str) -> None:
    """Write the chart: a panel per unit, with its benchmarks from top to bottom."""
    panels = {unit: _lines(list(group)) for unit, group in groupby(rows, key=lambda row: row.unit)}
    heights = [len(lines) * LINE_IN for lines in panels.values()]
    figure = Figure(figsize=(WIDTH_IN, sum(heights) + MARGIN_IN * (1 + len(panels))), layout="constrained")
    figure.suptitle(title, fontsize=10, color=FAINT)
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for (unit, lines), axes in zip(panels.items(), grid[:, 0], strict=True):
        _panel(axes, unit, lines)
    figure.savefig(path, dpi=DPI)


def _lines(rows: list[Row]) -> list[Row | str]:
    """From top to bottom: each benchmark's name above its rows."""
    return [line for benchmark, group in groupby(rows, key=lambda row: row.benchmark) for line in (benchmark, *group)]


def _panel(axes: Axes, unit: str, lines: list[Row | str]) -> None:
    rows = {place: line for place, line in enumerate(lines) if isinstance(line, Row)}
    rates = [row.median for row in rows.values()]
    errors = [[row.median - row.min for row in rows.values()], [row.max - row.median for row in rows.values()]]
    colours = [KERNEL if ":" in row.name else BASELINE for row in rows.values()]
    axes.barh(list(rows), rates, height=0.74, color=colours, xerr=errors, error_kw={"ecolor": INK, "elinewidth": 1})
    axes.set_yticks(list(rows), [row.name for row in rows.values()])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(min(rates) / 2, max(rates) * 12)  # room for the label behind the longest bar
    axes.set_xlabel(unit, loc="right", fontsize=SMALL, color=FAINT)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: re.sub(r"\.0+(?=\D|$)", "", short(rate))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="both", length=0, labelcolor=INK, labelsize=SMALL)
    axes.grid(axis="x", color=BASELINE, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    for place, row in rows.items():
        axes.annotate(
            _label(row), (row.max, place), (6, 0), textcoords="offset points", va="center", fontsize=SMALL, color=INK
        )
    heading = {"transform": axes.get_yaxis_transform(), "va": "center", "weight": "bold", "fontsize": 9.5, "color": INK}
    for place, line in enumerate(lines):
        if not isinstance(line, Row):
            axes.text(0, place, line, heading)


def _label(row: Row) -> str:
    ratios = [(row.ratio_to_hashlib, "hashlib"), (row.ratio_to_libsodium, "libsodium")]
    told = [f"{short(ratio)} x {name}" for ratio, name in ratios if ratio is not UNSET and ratio != 1]
    return ", ".join([short(row.median), *told])
