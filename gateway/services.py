"""All that a route may need, in one place, made once per server."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.alert_rules import AlertService
from gateway.health import Metrics
from gateway.live import Hub
from gateway.ports import Commands, Views
from gateway.render import Renderer
from gateway.shown import Span
from gateway.trading import TradingService


@dataclass(frozen=True)
class GatewaySettings:
    """What can be set about a server. Times in seconds."""

    venue: str
    allowed_hosts: tuple[str, ...]
    demo_account: str | None = "demo"
    span: Span = "1d"
    """The span of candles that a page shows unless asked for another."""
    answer_s: float = 5.0
    send_s: float = 10.0
    clients_max: int = 2_000


@dataclass(frozen=True)
class Services:
    """The services and ports behind the routes. `trading` is None where nobody trades by hand, `alerts` where nobody sets any."""

    settings: GatewaySettings
    commands: Commands
    views: Views
    renderer: Renderer
    metrics: Metrics
    hub: Hub
    trading: TradingService | None
    alerts: AlertService | None = None
