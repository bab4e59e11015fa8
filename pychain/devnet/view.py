"""The view of a devnet: a table and a strip of blocks in a terminal, one line at a time in a pipe."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pychain.base.text import format_hash_rate
from pychain.devnet.observer import MinedBlock, NodeState, Picture

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_cyan", "bright_magenta")
"""The nodes' colours, in the table and in the strip; beyond eight nodes they repeat."""
STRIP_BLOCKS = 60
SHORT_HASH = 12
NEWS_LINES = 6


class DevnetView:
    """Draws pictures of one network. `miners` maps an address to its node."""

    def __init__(self, title: str, miners: Mapping[str, int]) -> None:
        self._title = title
        self._miners = miners
        self._news: deque[str] = deque(maxlen=NEWS_LINES)

    # --- for a terminal

    def panel(
        self,
        picture: Picture,
        elapsed_s: float,
        transfers: int,
        remaining_s: float | None,
        faults: Sequence[str] = (),
    ) -> RenderableType:
        """The whole network at a glance. faults: what is broken on purpose."""
        end = "Ctrl-C stops all nodes" if remaining_s is None else f"{max(0, remaining_s):.0f} s to go"
        self._news.extend(f"{_clock(elapsed_s)}  {line}" for line in picture.news)
        return Panel(
            Group(
                self._table(picture),
                Text(),
                self._summary(picture, transfers),
                *(Text(f"▲ {fault}", style="bold red") for fault in faults),
                Text(),
                self._strip(picture.recent),
                self._shares(picture),
                *([Text(), Text("\n".join(self._news), style="dim")] if self._news else []),
            ),
            title=f"[bold]{self._title}[/bold] · {_clock(elapsed_s)}",
            title_align="left",
            subtitle=end,
            subtitle_align="right",
            padding=(1, 2),
        )

    def _table(self, picture: Picture) -> Table:
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        numbers = ("height", "peers", "hash rate", "mempool", "reorgs")
        for column in ("node", "height", "tip", "peers", "hash rate", "mempool", "reorgs"):
            table.add_column(column, justify="right" if column in numbers else "left", no_wrap=True)
        branch = {index: place for place, (_, nodes) in enumerate(picture.tips) for index in nodes}
        for index, node in enumerate(picture.nodes):
            name = Text(f"node{index}", style=_colour(index))
            if node is None:
                table.add_row(name, Text("silent", style="red"))
                continue
            tip = Text(node.tip[:SHORT_HASH], style="green" if branch[index] == 0 else "yellow")
            table.add_row(
                name,
                f"{node.height:,}",
                tip,
                str(node.peers),
                format_hash_rate(node.hash_rate) if node.mining else "idle",
                f"{node.mempool:,}",
                _reorganisations(node),
            )
        return table

    def _summary(self, picture: Picture, transfers: int) -> Text:
        text = Text()
        colour = {"agree": "bold green", "behind": "green", "fork": "bold yellow"}[picture.standing]
        text.append(f"● {standing(picture)}", style=colour)
        leader = picture.leader
        if leader is not None:
            total = sum(node.hash_rate for node in picture.alive)
            text.append(f"   difficulty {leader.difficulty:.4g}   network {format_hash_rate(total)}", style="dim")
            text.append(f"   transfers sent {transfers:,}", style="dim")
        return text

    def _strip(self, recent: Sequence[MinedBlock]) -> Text:
        """The last blocks, each in the colour of its miner."""
        shown = recent[-STRIP_BLOCKS:]
        text = Text("chain  ", style="dim")
        for block in shown:
            text.append("■", style=_colour(self._miners.get(block.miner, len(self._miners))))
        if not shown:
            text.append("no blocks yet", style="dim")
        return text

    def _shares(self, picture: Picture) -> Text:
        text = Text("mined  ", style="dim")
        for address, index in self._miners.items():
            text.append(f"node{index} ", style=_colour(index))
            text.append(f"{picture.mined.get(address, 0):,}   ", style="dim")
        return text

    # --- for a pipe

    def line(self, picture: Picture, elapsed_s: float, faults: Sequence[str] = ()) -> str:
        """The same in one line, preceded by a line for each piece of news."""
        leader = picture.leader
        parts = [_clock(elapsed_s), standing(picture), *faults]
        if leader is not None:
            parts.append(f"difficulty {leader.difficulty:.4g}")
            parts.append(format_hash_rate(sum(node.hash_rate for node in picture.alive)))
        for index, node in enumerate(picture.nodes):
            parts.append(f"node{index} " + ("silent" if node is None else _brief(node)))
        return "\n".join([*(f"{parts[0]} | {line}" for line in picture.news), " | ".join(parts)])


def standing(picture: Picture) -> str:
    """Whether the nodes agree, in words."""
    leader = picture.leader
    if leader is None:
        return "no node answers"
    silent = len(picture.nodes) - len(picture.alive)
    suffix = f", {silent} silent" if silent else ""
    if picture.standing == "agree":
        return f"all agree at height {leader.height:,}{suffix}"
    if picture.standing == "behind":
        behind = sum(len(nodes) for _, nodes in picture.tips[1:])
        return f"one chain at height {leader.height:,}, {behind} catching up{suffix}"
    sides = " against ".join("+".join(f"node{index}" for index in nodes) for _, nodes in picture.tips)
    return f"{len(picture.tips)} branches: {sides}{suffix}"


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _reorganisations(node: NodeState) -> str:
    return f"{node.reorganisations} (deepest {node.deepest})" if node.reorganisations else "0"


def _brief(node: NodeState) -> str:
    return (
        f"{node.height} {node.tip[:SHORT_HASH]} {node.peers} peers {node.mempool} pending {node.reorganisations} reorgs"
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
