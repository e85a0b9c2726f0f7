"""What a request of the Binance-shaped API is answered with when it cannot be done: Binance's codes and texts, never any internals.

The form is `{"code": -1121, "msg": "Invalid symbol."}`. Codes are a contract, for clients choose by them whether to try again: -1001 and -1008
had no effect, -1007 and -1000 may have had one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from litestar import Request, Response
from litestar.exceptions import HTTPException

from gateway.identity.ports import IdentitiesUnavailable
from gateway.ports import NotTaken, UnknownOutcome, ViewsUnavailable
from gateway.problems import Problem

PREFIX: Final = "/api/v3"
"""Where the Binance-shaped API is; all errors under it are answered in its form."""

TEXTS: Final[dict[int, str]] = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1002: "You are not authorized to execute this request.",
    -1003: "Too much request weight used; current limit is %s request weight per %s."
    " Please use WebSocket Streams for live updates to avoid polling the API.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1013: "Filter failure: %s",
    -1014: "Unsupported order combination.",
    -1015: "Too many new orders; current limit is %s orders per %s.",
    -1016: "This service is no longer available.",
    -1020: "This operation is not supported.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -1100: "Illegal characters found in parameter '%s'; legal range is '%s'.",
    -1101: "Too many parameters; expected '%s' and received '%s'.",
    -1102: "Mandatory parameter '%s' was not sent, was empty/null, or malformed.",
    -1103: "An unknown parameter was sent.",
    -1104: "Not all sent parameters were read; read '%s' parameter(s) but was sent '%s'.",
    -1105: "Parameter '%s' was empty.",
    -1106: "Parameter '%s' sent when not required.",
    -1108: "Parameter '%s' overflowed.",
    -1111: "Parameter '%s' has too much precision.",
    -1112: "No orders on book for symbol.",
    -1114: "TimeInForce parameter sent when not required.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1118: "New client order ID was empty.",
    -1119: "Original client order ID was empty.",
    -1120: "Invalid interval.",
    -1121: "Invalid symbol.",
    -1122: "Invalid symbolStatus.",
    -1125: "This listenKey does not exist.",
    -1127: "More than %s hours between startTime and endTime.",
    -1128: "Combination of optional parameters invalid.",
    -1130: "Data sent for parameter '%s' is not valid.",
    -1131: "recvWindow must be less than 60000.",
    -1134: "strategyType was less than 1000000.",
    -1135: "Invalid JSON Request",
    -1139: "Invalid ticker type.",
    -1145: "cancelRestrictions has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED.",
    -1151: "Symbol is present multiple times in the list.",
    -1158: "Order type not supported in OCO.",
    -1160: "Parameter '%s' is not supported if aboveTimeInForce/belowTimeInForce is not GTC.",
    -1165: "A limit order in a buy OCO must be below.",
    -1166: "A limit order in a sell OCO must be above.",
    -1168: "At least one OCO order must be contingent.",
    -1194: "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.",
    -1196: "A stop loss order in a buy OCO must be above.",
    -1197: "A stop loss order in a sell OCO must be below.",
    -1198: "A take profit order in a buy OCO must be below.",
    -1199: "A take profit order in a sell OCO must be above.",
    -2010: "NEW_ORDER_REJECTED",
    -2011: "CANCEL_REJECTED",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
    -2021: "Order cancel-replace partially failed.",
    -2022: "Order cancel-replace failed.",
    -2026: "Order was canceled or expired with no executed qty over 90 days ago and has been archived.",
    -5000: "Path %s, Method %s is invalid",
}
"""The text of each code; `%s` stands for what an error names."""
DUPLICATES: Final = "Duplicate values for a parameter detected."
"""The other text of -1101."""
STATUSES: Final = {
    -1000: 500,
    -1001: 503,
    -1002: 401,
    -1003: 429,
    -1006: 500,
    -1007: 504,
    -1008: 503,
    -1015: 429,
    -2014: 401,
    -2015: 401,
    -2021: 409,
    -5000: 404,
}
"""The HTTP status of each code that has another one than 400."""
_RETRY: Final = {"Retry-After": "1"}
_PATH_MAX: Final = 100
_LOG = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Request[Any, Any, Any], Exception], Response[Any]]


class BinanceError(Exception):
    """A request that is answered with a code. `named` fill the `%s` of the code's text; `text` stands instead of it, where given.

    `status` is the HTTP status, that of the code where it is 0; `data` is shown beside code and text, as cancelReplace needs it.

    >>> BinanceError(-1102, "symbol").text
    "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
    """

    def __init__(
        self,
        code: int,
        *named: object,
        text: str = "",
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> None:
        self.code = code
        self.text = text or (TEXTS[code] % named if named else TEXTS[code])
        self.status = status or STATUSES.get(code, 400)
        self.headers = dict(headers or {})
        self.data = data
        super().__init__(f"{code}: {self.text}")

    @property
    def body(self) -> dict[str, Any]:
        """Return what is sent, on REST and in a websocket's answer."""
        shown = {"code": self.code, "msg": self.text}
        return shown if self.data is None else {**shown, "data": self.data}


def too_much_weight(limit: int, interval: str, retry_after_s: int) -> BinanceError:
    """Return the error of who asks too much; `interval` in words, such as `1 MINUTE`."""
    return BinanceError(-1003, limit, interval, headers={"Retry-After": str(max(1, retry_after_s))})


def too_many_orders(limit: int, interval: str, retry_after_s: int) -> BinanceError:
    """Return the error of who places too many orders."""
    return BinanceError(-1015, limit, interval, headers={"Retry-After": str(max(1, retry_after_s))})


def binance_error(error: Exception, path: str = "", method: str = "") -> BinanceError:
    """Turn any exception into what its request, to a path by a method, is answered with."""
    match error:
        case BinanceError():
            found = error
        case ViewsUnavailable() | IdentitiesUnavailable():
            found = BinanceError(-1001, headers=_RETRY)
        case NotTaken():
            found = BinanceError(-1008, headers=_RETRY)
        case UnknownOutcome():
            found = BinanceError(-1007)
        case Problem():
            found = _of_problem(error)
        case HTTPException() if 400 <= error.status_code < 500:
            found = _of_http(error, path, method)
        case _:
            _LOG.error("a request failed", exc_info=error)
            found = BinanceError(-1000)
    return found


def binance_response(error: BinanceError) -> Response[Any]:
    """Return an error as a program reads it."""
    headers = {"Cache-Control": "no-store", **error.headers}
    return Response(error.body, status_code=error.status, media_type="application/json", headers=headers)


def in_binance_form(others: Handler) -> Handler:
    """Return what handles all exceptions of requests: those under `PREFIX` in Binance's form, and `others` all others."""

    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        path = request.scope["path"]
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            return others(request, error)
        return binance_response(binance_error(error, path, request.scope["method"]))

    return handle


def _of_problem(problem: Problem) -> BinanceError:
    """Return the code that says nearest what the server's other parts say of who may not come in, or asks too much."""
    match problem.status:
        case 401 | 403:
            return BinanceError(-2015, status=problem.status, headers=problem.headers)
        case 429:
            return BinanceError(-1003, text="Too many requests queued.", headers=problem.headers)
        case 503:
            return BinanceError(-1001, headers=problem.headers)
        case 504:
            return BinanceError(-1007, headers=problem.headers)
        case status if status < 500:
            return BinanceError(-1020, text=problem.message, status=status, headers=problem.headers)
    return BinanceError(-1000, headers=problem.headers)


def _of_http(error: HTTPException, path: str, method: str) -> BinanceError:
    """Return the error of a request that no route has taken."""
    allow = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    match error.status_code:
        case 404 | 405:
            return BinanceError(-5000, path[:_PATH_MAX], method, status=error.status_code, headers=allow)
        case 413:
            return BinanceError(-1101, text="Too many parameters sent for this endpoint.", status=413)
    return BinanceError(-1100, text="Illegal characters found in a parameter.", status=error.status_code)
