"""What the data feed for TradingView's charts takes and answers. `docs/UDF.md` says what it means."""

from __future__ import annotations

from typing import Final

from gateway.openapi.schemas import (
    FLAG,
    NUMBER,
    PROBLEM,
    SYMBOL,
    TEXT,
    WHOLE,
    Operation,
    Schema,
    bounded,
    count,
    either,
    fields,
    record,
    rows,
    said,
    words,
)
from gateway.udf.routes import FOUND
from gateway.udf.shapes import EXCHANGE, RESOLUTIONS, SHORT

PREFIX: Final = "/udf"
_ERROR: Final = record({"s": words(("error",)), "errmsg": TEXT})
_SECONDS: Final = said(bounded(0, 250_000_000_000), "Seconds since the epoch, UTC.")
_RESOLUTION: Final = words((*RESOLUTIONS, *SHORT))
_SPAN: Final[dict[str, Schema]] = {
    "symbol": SYMBOL,
    "from": _SECONDS,
    "to": _SECONDS,
    "resolution": _RESOLUTION,
}
_HISTORY: Final = {
    **_SPAN,
    "countback": said(bounded(0, 250_000_000_000), "So many bars before `to`: then `from` does not count."),
}
_CONFIG: Final = record(
    {
        **fields("supports_search supports_group_request supports_marks supports_timescale_marks supports_time", FLAG),
        "exchanges": rows(record(fields("value name desc", TEXT))),
        "symbols_types": rows(record(fields("name value", TEXT))),
        "supported_resolutions": rows(TEXT),
    }
)
_SYMBOL_INFO: Final = record(
    {
        **fields("name ticker full_name description type session timezone exchange listed_exchange format", TEXT),
        **fields("minmov minmov2 pricescale volume_precision", WHOLE),
        **fields("has_intraday has_seconds has_daily has_weekly_and_monthly has_empty_bars", FLAG),
        **fields("intraday_multipliers seconds_multipliers daily_multipliers", rows(TEXT)),
        **fields("weekly_multipliers monthly_multipliers supported_resolutions", rows(TEXT)),
        **fields("data_status currency_code", TEXT),
    }
)
_FOUND: Final = record(fields("symbol full_name description exchange ticker type", TEXT))
_BARS: Final = record({"s": words(("ok",)), "t": rows(WHOLE), **fields("o h l c v", rows(NUMBER))})
_NO_BARS: Final = record({"s": words(("no_data",)), "nextTime": WHOLE}, ("nextTime",))
_MARK: Final = record({**fields("id color text label labelFontColor", TEXT), **fields("time minSize", WHOLE)})
_SCALE_MARK: Final = record({**fields("id color label", TEXT), "time": WHOLE, "tooltip": rows(TEXT)})


def _feed(answer: Schema, query: dict[str, Schema] | None = None, needed: tuple[str, ...] = ()) -> Operation:
    told = either(answer, _ERROR) if query else answer
    errors = {400: PROBLEM, **dict.fromkeys((401, 403, 429, 503), _ERROR)}
    return Operation(tag="Charts", query=query or {}, needed=needed, answer=told, errors=errors)


_OPERATIONS: Final = {
    "GET /config": _feed(_CONFIG),
    "GET /time": Operation(tag="Charts", answer=TEXT, media="text/plain", errors={400: PROBLEM, 429: _ERROR}),
    "GET /symbols": _feed(_SYMBOL_INFO, {"symbol": SYMBOL}, ("symbol",)),
    "GET /search": _feed(
        rows(_FOUND),
        {"query": TEXT, "type": words(("", "spot")), "exchange": words(("", EXCHANGE)), "limit": count(FOUND)},
    ),
    "GET /history": _feed(either(_BARS, _NO_BARS), _HISTORY, ("symbol", "resolution", "to")),
    "GET /marks": _feed(rows(_MARK), _SPAN, tuple(_SPAN)),
    "GET /timescale_marks": _feed(rows(_SCALE_MARK), _SPAN, tuple(_SPAN)),
}
OPERATIONS: Final = {key.replace(" ", f" {PREFIX}", 1): operation for key, operation in _OPERATIONS.items()}
