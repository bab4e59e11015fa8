"""All endpoints, in the order of the documentation."""

from __future__ import annotations

from collections.abc import Iterable

from pychain.api.endpoint import Endpoint, Resources
from pychain.api.rest.chain import chain
from pychain.api.rest.find import find
from pychain.api.rest.ledger import ledger
from pychain.api.rest.network import surroundings

RESOURCES = (surroundings, chain, ledger, find)


def by_prefix(resources: Iterable[Resources]) -> dict[str, list[Endpoint]]:
    """Endpoints by the beginning of their paths, the most specific first."""
    found: dict[str, list[Endpoint]] = {}
    for section in resources:
        for endpoint in section.endpoints:
            found.setdefault(endpoint.prefix, []).append(endpoint)
    return {prefix: sorted(each, key=lambda endpoint: -len(endpoint.suffix)) for prefix, each in found.items()}
