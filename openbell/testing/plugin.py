"""The pytest fixtures: `openbell_venue`, and `openbell_settings`, which a test may override."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

from openbell.testing.settings import VenueSettings

if TYPE_CHECKING:
    from openbell.testing.venue import Venue

KEY: Final = "openbell-test-key"
SECRET: Final = "openbell-test-secret"  # noqa: S105  (it opens nothing but a venue of play money on this machine)


@pytest.fixture(scope="session")
def openbell_settings() -> VenueSettings:
    """What the venue is like; override it in a conftest.py for another."""
    return VenueSettings()


@pytest.fixture(scope="session")
def openbell_server(openbell_settings: VenueSettings) -> Iterator[Venue]:
    """One server for all tests of a session, on a free port of this machine."""
    from gateway.server import listening
    from gateway.sim.keys import OneKey
    from openbell.sim.server import Serving, Simulator
    from openbell.sim.world import ACCOUNT
    from openbell.testing.venue import Venue

    settings = openbell_settings.simulated()
    keys = OneKey(KEY, SECRET, ACCOUNT)
    with (
        listening("127.0.0.1", 0) as listener,
        Serving(lambda: Simulator(settings, identities=keys), listener) as serving,
    ):
        yield Venue(serving, KEY, SECRET)


@pytest.fixture
def openbell_venue(openbell_server: Venue) -> Venue:
    """A venue as it is at its beginning: nothing is left of what other tests did."""
    openbell_server.reset()
    return openbell_server
