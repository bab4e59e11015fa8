"""Pictures of the explorer's pages, on a desktop and a phone, in light and dark:

python -m tests.explorer.screenshots DIRECTORY
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.explorer.browser import DESKTOP, PHONE, Browser
from tests.explorer.scene import KEYS, Scene, scene

SCREENS = {"desktop": DESKTOP, "phone": PHONE}
SCHEMES = ("light", "dark")


def pages(play: Scene) -> dict[str, tuple[str, str]]:
    """Screens: name -> (route, text of the complete page)."""
    waiting = play.node.rpc("getrawmempool")[0]
    return {
        "overview": ("/", "Latest transfers"),
        "blocks": ("/blocks", "Reward"),
        "block": ("/block/tip", "Merkle root"),
        "transaction": (f"/tx/{waiting}", "Signature"),
        "account": (f"/account/{play.address(KEYS[0])}", "History"),
        "mempool": ("/mempool", "Highest fee rate first"),
        "peers": ("/peers", "This node"),
        "forks": ("/forks", "Reorganisations"),
        "charts": ("/charts", "Difficulty"),
        "mining": ("/mining", "Stratum workers"),
        "nothing": ("/search?q=no+such+thing", "Nothing found"),
    }


def take(directory: Path, names: list[str]) -> None:
    """Pictures of all pages, or of those named, as `page-screen-scheme.png`."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, scene(Path(place)) as play, Browser(play.base) as browser:
        for name, (route, text) in pages(play).items():
            if names and name not in names:
                continue
            for screen, size in SCREENS.items():
                browser.view(size)
                browser.open(route)
                browser.says(text)
                for scheme in SCHEMES:
                    browser.view(size, scheme)
                    browser.screenshot(directory / f"{name}-{screen}-{scheme}.png", size)
                print(f"{name} {screen}: {browser.overflow} pixels too wide; the console says {browser.complaints()}")


if __name__ == "__main__":
    take(Path(sys.argv[1]), sys.argv[2:])
