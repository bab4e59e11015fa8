"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# Machines differ in speed: how long an example takes is nothing that a test may fail for.
settings.register_profile("pychain", deadline=None, print_blob=True)
settings.load_profile("pychain")
