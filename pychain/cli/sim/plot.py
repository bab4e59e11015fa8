"""A sweep as a plot: a panel for each figure of the headline, over the values of the first parameter swept."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pychain.cli.sim.runs import number
from pychain.cli.sim.sweeps import Row, Sweep
from pychain.sim.play import Value

PANEL_IN, DPI = (6.4, 2.6), 144
FAINT = "#6b7280"
SMALL = 8.5


def formats() -> set[str]:
    """The supported file endings."""
    return set(FigureCanvasAgg.get_supported_filetypes())


def draw(path: Path, sweep: Sweep, headline: tuple[str, ...]) -> None:
    """Write the plot: medians as points, ranges as bars."""
    width, height = PANEL_IN
    figure = Figure(figsize=(width, height * len(headline)), layout="constrained")
    runs = f"{sweep.rows[0].runs} seeds each, {sweep.seeds[0]} to {sweep.seeds[1]}"
    figure.suptitle(f"{sweep.scenario}: {runs}", fontsize=10, color=FAINT)
    grid = figure.subplots(len(headline), 1, squeeze=False, sharex=True)
    for name, axes in zip(headline, grid[:, 0], strict=True):
        _panel(axes, name, sweep.rows)
    grid[-1, 0].set_xlabel(next(iter(sweep.rows[0].parameters), ""), fontsize=SMALL, color=FAINT)
    if len(sweep.rows[0].parameters) > 1:
        grid[0, 0].legend(fontsize=SMALL, frameon=False)
    figure.savefig(path, dpi=DPI)


def _panel(axes: Axes, name: str, rows: list[Row]) -> None:
    """Plot a line for each choice of the parameters except the first."""
    lines: dict[str, list[Row]] = {}
    for row in rows:
        rest = list(row.parameters.items())[1:]
        lines.setdefault(", ".join([f"{key} {number(value)}" for key, value in rest]), []).append(row)
    for label, line in lines.items():
        drawn = [row for row in line if name in row.figures]
        measures = [row.figures[name] for row in drawn]
        medians = [measure.median for measure in measures]
        bars = [
            [measure.median - measure.least for measure in measures],
            [measure.most - measure.median for measure in measures],
        ]
        places = [_place(row) for row in drawn]
        joined = "none" if any(isinstance(place, str) for place in places) else "-"
        axes.errorbar(places, medians, yerr=bars, label=label, marker="o", ms=4, ls=joined, lw=1, capsize=2)
    axes.set_ylabel(name.replace("_", " "), fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.grid(linewidth=0.5, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _place(row: Row) -> Value:
    """The position on the horizontal axis: the first parameter's value."""
    return next(iter(row.parameters.values()), "")
