"""The machines of the `indicators` and `signals` jobs, wired as the jobs wire them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import udfs
from exchange import topics
from exchange.analysis import MARKET_KEY
from exchange.clock import VenueClock
from exchange.host import Host
from exchange.packets import decode_alert_rules
from flink_jobs.model_folder import ModelFolder
from gateway.sim.log import Station
from udfs.alerts import AccountRules, AlertWatch, Watchlist, decode_facts
from udfs.ranking import ranking_host
from udfs.signaller import SeriesKey, signaller_host
from udfs.watch import PACE_MS, watch_host

LATENESS_MS: Final = 5_000
_FACTS: Final = (topics.CANDLES, topics.INDICATORS, topics.SUMMARIES, topics.SIGNALS, topics.ORDER_REPORTS)
"""What alerts can be about."""


def analysis_stations(clock: VenueClock, *, paced: bool = True) -> list[Station]:
    """Return the machines that analyse a venue's markets. Without `paced`, what is open is told with each change."""
    watch = watch_host(LATENESS_MS, pace_ms=PACE_MS if paced else 0, closes=clock == "live")
    watchlist = Watchlist()
    folder = ModelFolder(Path(udfs.__file__).parent / "models", "direction")

    def predict(series: SeriesKey, values: Mapping[str, float]) -> float | None:
        model = folder.current()
        return model.probability(values, values["close"]) if model and model.span_ms == series[2] else None

    return [
        Station(watch, (topics.TRADES, topics.BOOK_DELTAS, topics.BOOK_SNAPSHOTS, topics.MARKET_DATA)),
        Station(signaller_host(predict), (topics.INDICATORS, topics.MARKET_DATA)),
        Station(ranking_host(), (topics.SUMMARIES, topics.PROFITS), key=MARKET_KEY),
        Station(
            Host(lambda key, entries: AccountRules(key, watchlist, entries), decode_alert_rules), (topics.ALERT_RULES,)
        ),
        Station(Host(lambda key, entries: AlertWatch(key, watchlist, entries), decode_facts), _FACTS),
    ]
