"""The window work of `bench.windows` in quixstreams: `python -m bench.windows_quix SERVERS VENUE OUTPUT MESSAGES FOLDER`.

Runs in an environment of its own, so it imports nothing of Openbell. It reads the `trades` of a venue from their beginning, each record a packet
of trades, and stops after MESSAGES records; state is kept in FOLDER and, as is its default, in changelog topics. What it computes goes to the
topics OUTPUT.indicators and OUTPUT.averages; when half of the records and all of them were worked off, and the processor time by then, to its
standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

MINUTE_MS = 60_000
LATENESS_MS = 5_000
AVERAGED, FAST, STRENGTH = 20, 12, 14


def main() -> None:
    """Work off what is asked for."""
    servers, venue, output, messages, folder = sys.argv[1:]
    clock = Clock(int(messages))
    app: Any = import_module("quixstreams").Application(
        broker_address=servers, consumer_group=output, auto_offset_reset="earliest", state_dir=folder, loglevel="ERROR",
        on_message_processed=clock.tick,
    )  # fmt: skip
    trades = app.dataframe(app.topic(f"{venue}.trades", value_deserializer="json", key_deserializer="str"))
    trades = trades.apply(lambda packet: packet, expand=True)
    trades = trades.set_timestamp(lambda trade, _key, _time_ms, _headers: trade["time_ms"])
    candles = trades.tumbling_window(MINUTE_MS, grace_ms=LATENESS_MS).reduce(merged, begun).final()
    told = candles.apply(study, stateful=True)
    told.to_topic(app.topic(f"{output}.indicators", value_serializer="json"))
    closes = candles.apply(lambda candle: candle["value"]["close"])
    averages = closes.hopping_window(10 * MINUTE_MS, 5 * MINUTE_MS).mean().final()
    averages.to_topic(app.topic(f"{output}.averages", value_serializer="json"))
    clock.done = app.stop
    app.run()
    print(json.dumps(clock.notes))


class Clock:
    """Notes wall and processor time, in seconds, when half of the records have been worked off, and all; then it calls `done`."""

    def __init__(self, messages: int) -> None:
        self._due = [messages // 2, messages]
        self._worked_off = 0
        self.done: Callable[[], None] = lambda: None
        self.notes: list[tuple[float, float]] = []

    def tick(self, _topic: str, _partition: int, _offset: int) -> None:
        """Count a record."""
        self._worked_off += 1
        if self._worked_off in self._due:
            self.notes.append((time.time(), time.process_time()))
        if self._worked_off == self._due[-1]:
            self.done()


def begun(trade: dict[str, Any]) -> dict[str, int]:
    """Return the candle of a span's first trade."""
    price = trade["price"]
    return {"open": price, "high": price, "low": price, "close": price, "volume": trade["quantity"]}


def merged(candle: dict[str, int], trade: dict[str, Any]) -> dict[str, int]:
    """Return a candle with one more trade. Trades are taken to come in order."""
    price = trade["price"]
    candle["close"] = price
    candle["high"] = max(candle["high"], price)
    candle["low"] = min(candle["low"], price)
    candle["volume"] += trade["quantity"]
    return candle


def study(window: dict[str, Any], state: Any) -> dict[str, Any]:
    """Return a closed candle with the simple and the exponential average of closes, and the relative strength, seeded as ours are."""
    candle = window["value"]
    close = candle["close"]
    kept = state.get("kept") or {"closes": [], "bars": 0, "ema": 0.0, "gain": 0.0, "loss": 0.0}
    closes = kept["closes"]
    change = close - closes[-1] if closes else 0
    kept["closes"] = closes = [*closes[-AVERAGED + 1 :], close]
    kept["bars"] = bars = kept["bars"] + 1
    values: dict[str, float] = {}
    if bars >= AVERAGED:
        values["sma(20)"] = sum(closes) / AVERAGED
    if bars <= FAST:
        kept["ema"] += close / FAST
    else:
        kept["ema"] += (close - kept["ema"]) * 2 / (FAST + 1)
    if bars >= FAST:
        values["ema(12)"] = kept["ema"]
    if bars > 1:
        for name, part in (("gain", max(0, change)), ("loss", max(0, -change))):
            seeding = bars <= STRENGTH + 1
            kept[name] = kept[name] + part / STRENGTH if seeding else kept[name] + (part - kept[name]) / STRENGTH
    if bars > STRENGTH:
        total = kept["gain"] + kept["loss"]
        values["rsi(14)"] = 100 * kept["gain"] / total if total else 0.0
    state.set("kept", kept)
    return {"start_ms": window["start"], **candle, "values": values}


if __name__ == "__main__":
    main()
