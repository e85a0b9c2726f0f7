"""The tables of docs/PROTOCOL.md, made from the message definitions: `python tests/protocol_tables.py` writes them."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_args

import msgspec

from exchange import analysis as a
from exchange import audit_log as u
from exchange import messages as m
from exchange import topics
from exchange.instruments import Instrument, Rules

PROTOCOL = Path(__file__).parents[1] / "docs" / "PROTOCOL.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"

CARRIED: dict[str, tuple[Any, ...]] = {
    topics.ACCOUNT_INBOX: get_args(m.AccountsInput),
    topics.BOOK_INBOX: get_args(m.BookCommand),
    topics.ORDER_REPORTS: get_args(m.OrderReport),
    topics.ACCOUNT_UPDATES: get_args(m.AccountUpdate),
    topics.TRADES: (m.Trade,),
    topics.BOOK_DELTAS: get_args(m.BookEvent),
    topics.BOOK_SNAPSHOTS: (m.BookSnapshot,),
    topics.BOOK_ORDERS: (m.OrderDelta,),
    topics.MARKET_DATA: (m.Bar, *get_args(a.MarketData), m.Resume),
    topics.CANDLES: (a.Candle,),
    topics.INDICATORS: (a.Indicators,),
    topics.AVERAGES: (a.WindowAverage,),
    topics.PROFITS: (a.WindowProfit,),
    topics.LEADERS: (a.ProfitLeader,),
    topics.SUMMARIES: (a.SymbolSummary,),
    topics.RANKINGS: (a.MarketSummary,),
    topics.LATE_DATA: (a.LateData,),
    topics.SIGNALS: (a.Signal,),
    topics.SCORES: (a.SignalOutcome, a.RuleScore),
    topics.ALERT_RULES: (a.SetAlert, a.RemoveAlert),
    topics.ALERTS: (a.Alert,),
    topics.AUDIT: (u.AuditEntry,),
    topics.DEAD_LETTERS: (m.DeadLetter,),
}
PARTS = (m.Conditions, m.Leg, m.Limits, m.FeeTier, Instrument, Rules, a.Totals, a.Ranked, *get_args(a.Condition))
"""What messages are made of that are no messages themselves."""
CLOSED = ("RejectReason", "CancelReason")
"""Closed lists that are too long for a table."""


def kinds() -> list[Any]:
    """Return all message types, in the order of their definition."""
    named = [*vars(m).values(), *vars(a).values(), *vars(u).values()]
    found = [kind for kind in named if inspect.isclass(kind) and issubclass(kind, m.Message)]
    return [kind for kind in dict.fromkeys(found) if kind is not m.Message]


def tables() -> str:
    """Return the generated part of the document."""
    parts = ["## Messages by topic", "", "| topic | messages |", "|---|---|"]
    for topic, carried in CARRIED.items():
        parts.append(f"| `{topic}` | {', '.join(f'[{kind.__name__}](#{kind.__name__.lower()})' for kind in carried)} |")
    parts += ["", "## Messages", ""]
    for kind in kinds():
        parts += _table(kind)
    parts += ["## Parts of messages", ""]
    for kind in PARTS:
        parts += _table(kind)
    parts += ["## Closed lists", ""]
    for name in CLOSED:
        parts += [f"`{name}`: {', '.join(f'`{word}`' for word in get_args(getattr(m, name)))}", ""]
    return "\n".join(parts)


def _table(kind: Any) -> list[str]:
    rows = [f"### {kind.__name__}", "", " ".join(inspect.cleandoc(kind.__doc__ or "").split()), ""]
    rows += ["| field | type | when absent |", "|---|---|---|"]
    for field in msgspec.structs.fields(kind):
        default = "required" if field.required else f"`{msgspec.json.encode(field.default).decode()}`"
        rows.append(f"| `{field.encode_name}` | {describe(msgspec.inspect.type_info(field.type))} | {default} |")
    return [*rows, ""]


def describe(kind: Any) -> str:  # noqa: C901, PLR0911, PLR0912
    """Say in a few words what a field holds."""
    inspected = msgspec.inspect
    if isinstance(kind, inspected.Metadata):
        return describe(kind.type)
    if isinstance(kind, inspected.IntType):
        if kind.ge is None:
            return "integer"
        most = kind.lt - 1 if kind.lt is not None else kind.le
        return f"integer, {kind.ge:,} to {most:,}" if most is not None else f"integer, from {kind.ge}"
    if isinstance(kind, inspected.FloatType):
        return (
            "number"
            if kind.ge is None and kind.gt is None
            else f"number, {kind.ge if kind.gt is None else kind.gt:g} to {kind.le:g}"
        )
    if isinstance(kind, inspected.DictType):
        return f"object: {describe(kind.value_type)} by name"
    if isinstance(kind, inspected.BoolType):
        return "true or false"
    if isinstance(kind, inspected.StrType):
        if kind.pattern:
            return f"string, `{kind.pattern}`"
        return f"string, {kind.min_length or 0} to {kind.max_length} characters" if kind.max_length else "string"
    if isinstance(kind, inspected.LiteralType):
        closed = [name for name in CLOSED if sorted(get_args(getattr(m, name))) == sorted(kind.values)]
        return f"a `{closed[0]}`" if closed else " or ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, inspected.UnionType):
        return " or ".join(describe(one) for one in kind.types if not isinstance(one, inspected.NoneType))
    if isinstance(kind, inspected.StructType):
        return f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
    if isinstance(kind, inspected.ListType):
        return f"array of {describe(kind.item_type)}"
    if isinstance(kind, inspected.TupleType):
        return f"[{'; '.join(describe(one) for one in kind.item_types)}]"
    if isinstance(kind, inspected.BytesType):
        return "string, base64"
    raise TypeError(f"no words for {kind}")


def split(text: str) -> tuple[str, str, str]:
    """Split the document into what stands before, between and after the marks."""
    before, rest = text.split(BEGIN)
    inside, after = rest.split(END)
    return before, inside.strip(), after


if __name__ == "__main__":
    begin, _, rest = split(PROTOCOL.read_text())
    PROTOCOL.write_text(f"{begin}{BEGIN}\n\n{tables()}\n{END}{rest}")
