"""The Prometheus endpoint: the node's state and its meters as metric families.

The families are collected at one moment, in about a millisecond; the text is encoded on a thread. The library is
imported only here, since loading it takes longer than everything else that a node without Prometheus does at its
start.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pychain.api.context import Context
from pychain.api.metrics.families import families
from pychain.http.message import SNIFF_NOT, Counters, Request, Response


class Exposition:
    """Answers scrapes of one node."""

    def __init__(self, context: Context, counters: Counters) -> None:
        self._context = context
        self._counters = counters

    async def serve(self, request: Request) -> Response:
        """Answer in OpenMetrics if the client accepts it, as Prometheus does, else in the plain text format."""
        encode, content_type = choose_encoder(request.headers.get(b"accept", b"").decode("latin-1"))
        machine = self._context.machine
        gathered = _Gathered([*families(self._context, self._counters), *machine.process_metrics()])
        body = await self._context.backend.aside(lambda: encode(gathered))
        return Response(HTTPStatus.OK, body, ((b"content-type", content_type.encode()), SNIFF_NOT))


@dataclass(frozen=True, eq=False)
class _Gathered(Collector):
    """Families already collected, with the interface of a registry that the encoders need."""

    metrics: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics
