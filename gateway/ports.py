"""What the gateway's services need of the world outside: a way to write commands, a way to read views, and word of changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from exchange.analysis import TRADES_SOURCE, MarketData, Method
from exchange.instruments import Instrument
from exchange.messages import AccountCommand, DeadLetter
from gateway.analytics.shown import (
    AnalysisShown,
    AverageShown,
    FundamentalsShown,
    InboxShown,
    IndicatorsShown,
    LateShown,
    LeaderShown,
    MarketAnalysisShown,
    ProfitShown,
    ScoreShown,
    SeriesShown,
    SignalShown,
)
from gateway.shown import (
    AccountShown,
    Answer,
    BookChange,
    CandleShown,
    Depth,
    FillShown,
    Freshness,
    Market,
    OrderShown,
    Reports,
    Span,
    Summary,
    TradeShown,
)


class GatewayError(Exception):
    """Base of what can go wrong between the gateway and the servers behind it: one sentence for a person."""


class NotTaken(GatewayError):
    """A command was not taken: it has no effect, and may be sent again."""


class UnknownOutcome(GatewayError):
    """A command may or may not be in the log; asking by its id, or sending it again under the same id, settles it."""


class ViewsUnavailable(GatewayError):
    """The views cannot be read now."""


class Changed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Word that views have changed. `everything`: some words were lost, or all views were made anew; read what matters again."""

    symbols: list[str] = []
    accounts: list[str] = []
    everything: bool = False


class Commands(Protocol):
    """Writes commands to the exchange's log."""

    async def write(self, command: AccountCommand) -> None:
        """Return when the command is in the log. Raises NotTaken, or UnknownOutcome when it was taken but not confirmed.

        Who stops waiting does not stop the command.
        """

    async def write_many(self, commands: Sequence[AccountCommand]) -> None:
        """Return when all are in the log, those of an account in their order, in as few records as they fit into; errors as in `write`.

        NotTaken: none has an effect. UnknownOutcome: each may or may not be in the log.
        """

    def available(self) -> bool:
        """Say whether a command would be taken now."""


class Outside(Protocol):
    """Writes what comes from outside, and is no command, to the exchange's log."""

    async def record(self, facts: Sequence[MarketData]) -> None:
        """Return when market data is in the log; errors as in `Commands.write`."""

    async def refuse(self, letter: DeadLetter) -> None:
        """Return when a dead letter is in the log; errors as in `Commands.write`."""


class Analytics(Protocol):
    """Reads what is computed of the markets. Every method raises ViewsUnavailable when it cannot be read; None: there is no such symbol."""

    async def series(self, symbol: str) -> list[SeriesShown] | None:
        """Return a symbol's series, each with its newest indicators, by source and span."""

    async def indicators(
        self, symbol: str, span_ms: int, source: str = TRADES_SOURCE, limit: int = 500, end_ms: int | None = None
    ) -> list[IndicatorsShown] | None:
        """Return the newest bars of a series (that begin before `end_ms`, where given), oldest first; the last 501 are kept."""

    async def averages(self, symbol: str, limit: int, method: Method | None = None) -> list[AverageShown] | None:
        """Return the newest moving averages of windows, of one method or all, oldest first; the last 500 of a method are kept."""

    async def profits(self, symbol: str, limit: int, method: Method | None = None) -> list[ProfitShown] | None:
        """Return the newest profits of windows, as `averages` does."""

    async def leaders(self, limit: int, method: Method | None = None) -> list[LeaderShown]:
        """Return who led by profit, of one method or all, oldest first; the last 100 of a method are kept."""

    async def summary(self, symbol: str) -> AnalysisShown | None:
        """Return how a symbol does; None, too, until that is known."""

    async def fundamentals(self) -> dict[str, FundamentalsShown]:
        """Return what was told last of what companies are worth, by symbol, listed or not."""

    async def market(self) -> MarketAnalysisShown | None:
        """Return how all symbols do; None until that is known."""

    async def signals(self, symbol: str, limit: int) -> list[SignalShown] | None:
        """Return the last signals, the last said first; 200 are kept."""

    async def scores(self, symbol: str) -> list[ScoreShown] | None:
        """Return how well rules have done, by source, span, rule and horizon."""

    async def late(self, symbol: str, limit: int) -> LateShown | None:
        """Return how much came too late, and the last of it, the last told first; 100 are kept."""

    async def inbox(self, account: str, limit: int) -> InboxShown:
        """Return an account's last alerts, the last told first, empty if there were none; 200 are kept."""


class Views(Protocol):
    """Reads the views. Every method raises ViewsUnavailable when they cannot be read; None or an empty list: no such thing."""

    @property
    def analytics(self) -> Analytics:
        """What is computed of the markets."""

    async def freshness(self) -> Freshness:
        """Say whether the views are those of now; never raises."""

    async def instruments(self) -> dict[str, Instrument]:
        """Return the listed instruments by symbol."""

    async def summaries(self) -> list[Summary]:
        """Return all symbols' summaries, by symbol."""

    async def market(
        self, symbol: str, span: Span, levels: int = 10, trades: int = 40, candles: int = 300
    ) -> Market | None:
        """Return all that a symbol's page shows: trades newest first, candles oldest first and the newest of them."""

    async def depth(self, symbol: str, levels: int) -> Depth | None:
        """Return the best `levels` of each side, at most `keys.TOP_LEVELS`."""

    async def book_change(self, symbol: str, after: int) -> BookChange | None:
        """Return what leads from the book after its event `after` to the present one; the last 1,000 steps are kept."""

    async def trades(self, symbol: str, limit: int, before: int | None = None) -> list[TradeShown] | None:
        """Return the newest trades (with numbers below `before`, where given), newest first; the last 1,000 are kept."""

    async def candles(self, symbol: str, span: Span, limit: int, end_ms: int | None = None) -> list[CandleShown] | None:
        """Return the newest candles (that begin before `end_ms`, where given), oldest first.

        The last 5,000 of a span are kept, of one second 1,800.
        """

    async def account(self, account: str, ended: int = 20) -> AccountShown:
        """Return an account, empty if nothing is known of it."""

    async def order(self, account: str, order_id: int) -> OrderShown | None:
        """Return an order; of an account's ended orders the last 1,000 are kept."""

    async def fills(self, account: str, limit: int, symbol: str | None = None) -> list[FillShown]:
        """Return the account's newest fills (of one symbol, where given), newest first; the last 1,000 of the account are kept."""

    async def reports(self, account: str, after: int) -> Reports:
        """Return what happened to the account's orders after the report numbered `after`, in order; the last 1,000 are kept."""

    async def answers(self, account: str, request_ids: Sequence[str]) -> dict[str, Answer]:
        """Return what became of requests, by id, as far as it is known; the last 5,000 of an account are kept."""


class Changes(Protocol):
    """Tells what changes."""

    def listen(self) -> AsyncIterator[Changed]:
        """Yield word of changes for ever, each listener all of it; begins with `everything`."""
