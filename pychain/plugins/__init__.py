"""Plug-ins from users' files: `FILE.py:NAME`, or `FILE.py` for what the file defines.

    plugins = load_plugins(["./rules.py"], RETARGET_RULES, FORK_CHOICE_RULES)
    rulebook = Rulebook(spec, plugins)

A file is executed once in a process, as a module of its own, and may import what is installed. Whatever is wrong with
it raises `ConfigError` with one line that begins with the file and the line in it.
"""

from pychain.plugins.loading import is_reference, joined, load_again, load_one, load_plugins

__all__ = ["is_reference", "joined", "load_again", "load_one", "load_plugins"]
