"""What Prometheus reads: the node's state and its meters as metric families, one registry a node.

The families are gathered on the event loop, where the state is read, in about a millisecond; the text is made of them
beside it. The library is imported here alone, since loading it takes longer than everything else that a node without a
Prometheus does at its start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pychain.api.metrics.families import families
from pychain.api.metrics.sources import Sources
from pychain.http.message import SNIFF_NOT, Request, Response


class Exposition:
    """Answers scrapes of one node."""

    def __init__(self, sources: Sources) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Node(sources))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    async def serve(self, request: Request) -> Response:
        """In OpenMetrics for who accepts it, as Prometheus does, else in the plain text format."""
        encode, content_type = choose_encoder(request.headers.get(b"accept", b"").decode("latin-1"))
        gathered = _Gathered(list(self._registry.collect()))
        body = await asyncio.to_thread(encode, gathered)
        return Response(HTTPStatus.OK, body, ((b"content-type", content_type.encode()), SNIFF_NOT))


@dataclass(frozen=True, eq=False)
class _Node(Collector):
    """The node as the library's collector."""

    sources: Sources

    def collect(self) -> Iterable[Metric]:
        return families(self.sources)


@dataclass(frozen=True, eq=False)
class _Gathered(Collector):
    """Families that were gathered already; all that the encoders ask of a registry."""

    metrics: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics
