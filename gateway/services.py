"""All that a route may need, in one place, made once per server."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.admin.newest_audit import NewestAudit
from gateway.admin.operating import Operating
from gateway.alerts.rules import AlertPorts
from gateway.audit.event import Audit
from gateway.binance.streams.service import Streams
from gateway.health import Metrics
from gateway.identity.oidc_provider import Provider
from gateway.identity.oidc_settings import OidcSettings
from gateway.identity.ports import Identities
from gateway.limiting.ports import Limits
from gateway.limiting.settings import LimitSettings
from gateway.ports import Commands, Views
from gateway.render import Renderer
from gateway.requests_log import AccessLog
from gateway.shown import Span
from gateway.trading import Exchange
from gateway.websockets.live import Hub


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
    """How many websockets of pages may be open, and how many others; one address may have half of each."""
    limits: LimitSettings = field(default_factory=LimitSettings)
    trusted_proxies: tuple[str, ...] = ()
    """The networks (CIDR) of the proxies that may say whom they pass on."""
    access_log: AccessLog = "notable"
    """Which requests are logged: `off`: none; `notable`: those that fail or concern safety; or `all`."""
    tls: bool = False
    """Whether pages come over TLS, of this server or of what stands before it: then cookies are bound to it."""
    sandbox: bool = True
    """Whether what is traded is play money: then a new user's account is given some, and more when asked for."""
    sign_up: bool = True
    """Whether everybody may become a user."""
    oidc: OidcSettings | None = None
    """The OpenID Connect provider that lets people in, too."""


@dataclass(frozen=True)
class Services:
    """The services and ports behind the routes. `alerts` is None where nobody sets any, `identities` where
    nobody can say who they are, `limits` where nothing is counted,
    `audit` where nothing is written down, `operating` where nobody runs the market from here, `newest_audit` where
    no page shows what was written down, `provider` where only passwords let in.
    """

    settings: GatewaySettings
    commands: Commands
    views: Views
    renderer: Renderer
    metrics: Metrics
    hub: Hub
    exchange: Exchange
    streams: Streams
    alerts: AlertPorts | None = None
    identities: Identities | None = None
    limits: Limits | None = None
    audit: Audit | None = None
    operating: Operating | None = None
    newest_audit: NewestAudit | None = None
    provider: Provider | None = None
