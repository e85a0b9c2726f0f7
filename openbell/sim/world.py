"""One life of a simulated venue: from its first listing until it is made anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from litestar import Litestar

from exchange.clock import VenueClock
from exchange.instruments import Instrument
from exchange.listing_file import Listing
from exchange.money import UNITS_MAX
from gateway.alerts.rules import AlertPorts
from gateway.app import create_app
from gateway.endowment import endowment
from gateway.identity.ports import Identities
from gateway.security import LOCAL_HOSTS
from gateway.services import GatewaySettings
from gateway.sim.clocks import VirtualClock, WallClock
from gateway.sim.faults import Faults
from gateway.sim.flow import MarketFlow
from gateway.sim.venue import SimVenue
from gateway.sim.writing import SimAlerts, SimCommands
from gateway.tasks import stop
from openbell.sim.analysis import analysis_stations
from openbell.sim.feed import Feed
from openbell.sim.makers import ROUND_S, Makers

NAME: Final = "sim"
ACCOUNT: Final = "demo"
_MAKERS, _QUOTES = 1, 2
"""The numbers of the sources of flow."""


@dataclass(frozen=True, kw_only=True)
class SimSettings:
    """What a simulated venue is like. `cash` is what the account begins with of each currency, in whole units of it."""

    listings: Mapping[str, Listing]
    cash: int = 1_000_000
    makers: bool = True
    analysis: bool = True
    seed: int = 1
    virtual: bool = False
    """Whether time goes by only as it is told to."""
    replay_speed: float | None = None
    """Replay the archive at so many seconds of its time in a second; None: nothing is replayed."""
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    refused_share: float = 0.0
    allowed_hosts: tuple[str, ...] = field(default=LOCAL_HOSTS)

    @property
    def instruments(self) -> list[Instrument]:
        """What is listed from the beginning; a replay lists its own."""
        return [] if self.replay_speed is not None else [each.instrument for each in self.listings.values()]


class World:
    """A venue, and the application over it. It lives from `begin` to `end`."""

    def __init__(self, settings: SimSettings, faults: Faults, identities: Identities | None = None) -> None:
        self.settings = settings
        kind: VenueClock = "live" if settings.replay_speed is None else "replay"
        stations = analysis_stations(kind, paced=not settings.virtual) if settings.analysis else []
        clock = VirtualClock() if settings.virtual else WallClock()
        self.venue = SimVenue(NAME, clock, kind, stations)
        self.quotes = MarketFlow(self.venue, _QUOTES)
        self.views = self.venue.projector.views()
        self._changes = self.venue.projector.changes()
        self._life: asyncio.Task[None] | None = None
        self._began, self._over = asyncio.Event(), asyncio.Event()
        self.app = self._app(faults, identities)
        for listing in settings.listings.values() if settings.instruments else ():
            self.venue.list(listing.instrument, listing.rules)
        self.venue.fund(ACCOUNT, _beginning(settings))
        self.makers = Makers(MarketFlow(self.venue, _MAKERS), settings.instruments, settings.seed)
        if settings.makers:
            self.makers.round()
        self.venue.show()

    async def begin(self) -> None:
        """Begin."""
        self._life = asyncio.create_task(self._live())
        began = asyncio.create_task(self._began.wait())
        await asyncio.wait([self._life, began], return_when=asyncio.FIRST_COMPLETED)
        began.cancel()
        if self._life.done():
            self._life.result()

    async def end(self) -> None:
        """End, and leave nothing behind."""
        self._over.set()
        if self._life is not None:
            await self._life
        self.venue.log.close()

    async def _live(self) -> None:
        """Hold the application's life in one task, whoever begins and ends it."""
        async with self.app.lifespan():
            self._began.set()
            await self._over.wait()

    def _app(self, faults: Faults, identities: Identities | None) -> Litestar:
        alerts = SimAlerts(self.venue)
        gateway = GatewaySettings(
            venue=NAME, allowed_hosts=self.settings.allowed_hosts, demo_account=ACCOUNT, span="1m"
        )
        return create_app(
            gateway,
            SimCommands(self.venue, faults),
            self.views,
            self._changes,
            now_ms=self.venue.clock.now_ms,
            lifespan=[self._ports],
            alerts=AlertPorts(alerts, alerts),
            identities=identities,
        )

    @asynccontextmanager
    async def _ports(self, _: Litestar) -> AsyncIterator[None]:
        await self._changes.start()
        running: list[asyncio.Task[Any]] = [asyncio.create_task(self.venue.run())]
        if self.settings.makers and not self.settings.virtual and self.settings.instruments:
            running.append(asyncio.create_task(self._make_markets()))
        feed = None
        if self.settings.replay_speed is not None:
            feed = Feed(self.venue, self.settings.replay_speed)
        try:
            yield
        finally:
            if feed is not None:
                await feed.stop()
            await stop(running)
            await self._changes.close()
            await self.views.close()

    async def _make_markets(self) -> None:
        while True:
            await asyncio.sleep(ROUND_S)
            self.makers.round()


def _beginning(settings: SimSettings) -> dict[str, int]:
    """Return what the account begins with, in minor units by asset; what a replay lists is given as it comes."""
    instruments = settings.instruments
    cash = {each.quote: min(settings.cash * 10**each.quote_scale, UNITS_MAX) for each in instruments}
    return endowment(instruments) | cash
