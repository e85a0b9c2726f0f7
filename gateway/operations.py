"""Routes for those who run the server: is it alive, is it ready, its figures, and browsers' reports about broken policies."""

from __future__ import annotations

import logging
import re
import time
from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post

from gateway.services import Services

REPORT_EVERY_S: Final = 1.0
"""Reports are logged at most so often; all are counted."""
_WORD: Final = re.compile(r"[a-z-]{1,40}")
_ORIGIN: Final = re.compile(r"([a-z]{1,10}://[A-Za-z0-9.:-]{1,100})(?:[/?#].*)?", re.DOTALL)

_LOG = logging.getLogger(__name__)


class Ready(msgspec.Struct, frozen=True):
    """Whether requests can be served in full, and if not, why."""

    ready: bool
    reasons: list[str]


class Reports:
    """Logs some of the reports."""

    def __init__(self) -> None:
        self._logged_at = -REPORT_EVERY_S

    def note(self, body: bytes) -> None:
        """Log a report as one line, unless one has just been."""
        now = time.monotonic()
        if now - self._logged_at >= REPORT_EVERY_S:
            self._logged_at = now
            _LOG.warning("a browser reports a broken content security policy: %s", told_of(body))


def told_of(body: bytes) -> str:
    """Return what of a report is logged: which rule was broken, and by what kind of thing or whose; addresses may have secrets in them.

    >>> told_of(b'{"csp-report":{"effective-directive":"script-src","blocked-uri":"https://evil.example/?token=x"}}')
    'effective-directive=script-src blocked-uri=https://evil.example'
    """
    try:
        report = msgspec.json.decode(body)["csp-report"]
        values = {name: report[name] for name in ("effective-directive", "blocked-uri") if type(report[name]) is str}
    except (msgspec.MsgspecError, ValueError, RecursionError, LookupError, TypeError):
        return "no report that can be read"
    shown = {}
    for name, value in values.items():
        origin = _ORIGIN.fullmatch(value)
        shown[name] = value if _WORD.fullmatch(value) else origin[1] if origin else "other"
    return " ".join(f"{name}={value}" for name, value in shown.items())


@get("/health", opt={"needs": "enter", "weight": 0})
async def health() -> dict[str, bool]:
    """Say that the process is alive."""
    return {"alive": True}


@get("/ready", opt={"needs": "enter", "weight": 0})
async def ready(services: Services) -> Response[Ready]:
    """Say whether the views are live and commands are taken."""
    freshness = await services.views.freshness()
    reasons = [] if freshness.live else [f"views: {freshness.reason}"]
    if not services.commands.available():
        reasons.append("commands: Kafka does not take them now")
    return Response(Ready(ready=not reasons, reasons=reasons), status_code=503 if reasons else 200)


@get("/metrics", opt={"needs": "enter", "weight": 0})
async def metrics(services: Services) -> Response[bytes]:
    """Return all figures for Prometheus."""
    freshness = await services.views.freshness()
    age_ms = freshness.age_ms
    services.metrics.audit_waiting.set(0 if services.audit is None else services.audit.waiting)
    services.metrics.audit_refused.set(0 if services.audit is None else services.audit.refused)
    services.metrics.limits_together.set(getattr(services.limits, "together", False))
    services.metrics.checksum_mismatches.set(freshness.mismatches)
    services.metrics.view_age_seconds.set(float("nan") if age_ms is None else age_ms / 1000)
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4")


@post("/csp-reports", status_code=204, opt={"needs": "enter"})
async def csp_reports(request: Request[Any, Any, Any], services: Services, reports: Reports) -> None:
    """Take a browser's report of what the content security policy has forbidden."""
    body = await request.body()
    services.metrics.csp_reports.inc()
    reports.note(body)
