"""Plug-ins from users' files: `FILE.py:NAME`, or `FILE.py` for everything that the file defines.

    plugins = load_plugins(["./rules.py"], RETARGET_RULES, FORK_CHOICE_RULES)
    rulebook = Rulebook(spec, plugins)

A file is executed once per process, as a module, and may import installed packages. Any mistake in it raises
`ConfigError` with a message of one line that begins with the file and line number.
"""

from pychain.plugins.loading import is_reference, joined, load_again, load_one, load_plugins

__all__ = ["is_reference", "joined", "load_again", "load_one", "load_plugins"]
