"""Says how the server is: alive, ready, and in figures for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from litestar.types import ASGIApp, Message, Receive, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.identity.ports import CacheFigures

UNKNOWN_ROUTE: Final = "none"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one server; docs/LIMITS.md lists them. `caches` tells those of what it remembers of who may come in, by name."""

    def __init__(self, caches: Callable[[], Mapping[str, CacheFigures]] = dict) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "openbell_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "openbell_request_seconds",
            "From a request to the end of its answer",
            ["route"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.orders = Counter(
            "openbell_orders",
            "Orders, changes and cancellations by what became of them",
            ["outcome"],
            registry=registry,
        )
        self.live_clients = Gauge("openbell_live_clients", "Open websockets", registry=registry)
        self.live_boards = Gauge("openbell_live_boards", "Topics that somebody watches", registry=registry)
        self.pushes = Counter("openbell_pushes", "Partials offered to websockets", ["partial"], registry=registry)
        self.push_seconds = Histogram(
            "openbell_push_seconds",
            "From word of a change to its partials on offer to all who watch",
            registry=registry,
            buckets=_SECONDS,
        )
        self.slow_clients = Counter(
            "openbell_slow_clients", "Websockets closed because they did not read", registry=registry
        )
        self.refused_clients = Counter(
            "openbell_refused_clients", "Websockets refused because there were too many", registry=registry
        )
        self.ws_api_connections = Gauge(
            "openbell_ws_api_connections", "Open websockets of the websocket API", registry=registry
        )
        self.ws_api_requests = Counter(
            "openbell_ws_api_requests",
            "Requests of the websocket API answered",
            ["method", "status"],
            registry=registry,
        )
        self.csp_reports = Counter(
            "openbell_csp_reports", "Reports of a broken content security policy", registry=registry
        )
        self.limits_refused = Counter(
            "openbell_limits_refused", "What was refused because it was too much", ["limit"], registry=registry
        )
        self.limits_together = Gauge(
            "openbell_limits_together",
            "1: limits are counted with the other gateways; 0: by this process alone",
            registry=registry,
        )
        self.audit_waiting = Gauge(
            "openbell_audit_waiting", "Entries of the audit log that Kafka has not taken yet", registry=registry
        )
        self.audit_refused = Gauge(
            "openbell_audit_refused",
            "Security events refused because they could not be written down",
            registry=registry,
        )
        self.checksum_mismatches = Gauge(
            "openbell_checksum_mismatches",
            "Checksums that were not those of the books as the projector at work has read them",
            registry=registry,
        )
        self.view_age_seconds = Gauge(
            "openbell_view_age_seconds", "Age of the views; NaN: not known", registry=registry
        )
        registry.register(_Caches(caches))

    def count_order(self, outcome: str, orders: int = 1) -> None:
        """Count what became of orders: what the exchange answered, or why it could not be asked."""
        self.orders.labels(outcome).inc(orders)

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self._registry)


class _Caches(Collector):
    """Tells how often what is remembered of who may come in was of use, which is counted where it is remembered."""

    def __init__(self, caches: Callable[[], Mapping[str, CacheFigures]]) -> None:
        self._caches = caches

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield the figures as they are now."""
        reads = CounterMetricFamily(
            "openbell_identity_cache_reads", "Who may come in, asked of what is remembered", labels=["cache", "outcome"]
        )
        entries = GaugeMetricFamily(
            "openbell_identity_cache_entries", "What is remembered of who may come in", labels=["cache"]
        )
        for name, cache in self._caches().items():
            reads.add_metric([name, "hit"], cache.hits)
            reads.add_metric([name, "miss"], cache.misses)
            entries.add_metric([name], cache.size)
        yield reads
        yield entries


class Measured:
    """Wraps an application and counts its requests by route, which is a closed list, never by address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request on; note how long it took and how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        begun = time.perf_counter()

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            route = scope.get("path_template") or UNKNOWN_ROUTE
            self._metrics.requests.labels(scope["method"], route, status).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - begun)
