"""What the market's refusals mean to a person, and what to do about each."""

from __future__ import annotations

from typing import Final

from exchange.messages import RejectReason
from gateway.shown import Shown


class Refusal(Shown, frozen=True):
    """What a market's refusal means to a person, and the field of an order that it is about (empty: none)."""

    sentence: str
    field: str = ""


REFUSALS: Final[dict[RejectReason, Refusal]] = {
    "ACCOUNT_EXISTS": Refusal(sentence="This account is open already: use it as it is."),
    "ACCOUNT_OFF": Refusal(
        sentence="Trading is switched off for this account: only cancelling works until the operator lets it trade again."
    ),
    "AMENDMENT_PENDING": Refusal(
        sentence="Another change of this order is on its way to the book: try again in a moment.", field="order_id"
    ),
    "BALANCE_LIMIT": Refusal(
        sentence="The account cannot hold so much of one asset: write a smaller quantity.", field="quantity"
    ),
    "BELOW_FILLED": Refusal(
        sentence="At least so much of the order has been traded already: write a greater quantity, or cancel the rest.",
        field="quantity",
    ),
    "BOOK_FULL": Refusal(
        sentence="The book has as many orders that wait or follow as it can hold: try again later, or place a limit order.",
        field="kind",
    ),
    "CLOCK_AHEAD": Refusal(
        sentence="The clock of the server that took the order is ahead of the exchange's: set it right."
    ),
    "DELISTED": Refusal(
        sentence="This symbol is no longer traded: choose another, or wait until it is listed again.", field="symbol"
    ),
    "DUPLICATE": Refusal(
        sentence="Another request was sent under this request id before, and this one was not carried out: send it under a new id.",
        field="request_id",
    ),
    "EXPIRED": Refusal(
        sentence="The order's time was over before it reached the market: write a later one.", field="expires_ms"
    ),
    "HALTED": Refusal(sentence="Trading is halted: try again once it goes on."),
    "INSUFFICIENT_FUNDS": Refusal(
        sentence="The account has not enough free for this order: write less, or cancel another order first.",
        field="quantity",
    ),
    "INVALID_BUST": Refusal(
        sentence="The trade that was to be undone was not of this account, or not as it was named: nothing was undone here."
    ),
    "INVALID_AMENDMENT": Refusal(
        sentence="This order cannot be changed so: change its price or quantity, or the stop of one that still waits,"
        " to something else; or cancel it and place another.",
        field="order_id",
    ),
    "INVALID_CONDITIONS": Refusal(
        sentence="What the order asks for does not go together: leave away some of its conditions.", field="kind"
    ),
    "INVALID_ORDER_ID": Refusal(
        sentence="The book cannot take an order with this number: place it under another.", field="order_id"
    ),
    "INVALID_TIME_IN_FORCE": Refusal(
        sentence="This time in force does not go with this kind of order: choose another.", field="time_in_force"
    ),
    "MARKET_CLOSED": Refusal(sentence="The market is closed: try again when it opens."),
    "NOTIONAL_LIMIT": Refusal(
        sentence="The order is worth more than this account may place at once: write a smaller quantity.",
        field="quantity",
    ),
    "NOT_CONTINUOUS": Refusal(
        sentence="Nothing trades before the auction, and this order would have to trade at once:"
        " choose one that can wait, such as a limit order GTC.",
        field="time_in_force",
    ),
    "OPEN_ORDERS_LIMIT": Refusal(sentence="The account has as many open orders as it may have: cancel one first."),
    "ORDER_SIZE_LIMIT": Refusal(
        sentence="The order is larger than this account may place: write a smaller quantity.", field="quantity"
    ),
    "POSITION_LIMIT": Refusal(
        sentence="With this order the account could hold more than it may: write a smaller quantity, or cancel another buy.",
        field="quantity",
    ),
    "POST_ONLY": Refusal(
        sentence="The order would have traded at once, which post-only forbids: write a price farther from the market.",
        field="price",
    ),
    "PRICE_COLLAR": Refusal(
        sentence="The price is too far from that of the market: write one that is nearer to it.", field="price"
    ),
    "RATE_LIMIT": Refusal(
        sentence="The account has placed as many orders as it may in one second: try again in a moment."
    ),
    "REQUESTS_FULL": Refusal(sentence="The exchange has as many requests as it can remember: try again later."),
    "RULE_UNSUPPORTED": Refusal(
        sentence="This market takes only plain limit orders: choose limit and GTC, GTD or DAY, without conditions.",
        field="kind",
    ),
    "STALE": Refusal(
        sentence="The order took more than a day to reach the exchange: place it anew.", field="request_id"
    ),
    "STALE_LISTING": Refusal(sentence="The symbol's rules have just changed: place the order anew.", field="symbol"),
    "TOO_LATE": Refusal(
        sentence="The order was gone from the book before this reached it: look at what became of it.",
        field="order_id",
    ),
    "UNKNOWN_ACCOUNT": Refusal(sentence="The exchange does not know this account yet: try again in a moment."),
    "UNKNOWN_ORDER": Refusal(sentence="There is no such open order: look at the list of orders.", field="order_id"),
    "UNKNOWN_SYMBOL": Refusal(
        sentence="The exchange does not trade this symbol: choose one of the listed ones.", field="symbol"
    ),
}
