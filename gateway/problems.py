"""What a request is answered with when it cannot be done: for programs a JSON object, for people a page, never any internals."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException

from gateway.ports import NotTaken, UnknownOutcome, ViewsUnavailable
from gateway.render import Renderer
from gateway.shown import Shown
from gateway.tickets import InvalidTicket

_RETRY: Final = {"Retry-After": "1"}
_LOG = logging.getLogger(__name__)


class ProblemShown(Shown, frozen=True):
    """The JSON form. `error` is a constant, `message` a sentence, `fields` what to change by field or parameter."""

    error: str
    message: str
    fields: dict[str, str]


class Problem(Exception):
    """A request that is answered with an error. `code` is a constant for programs, `message` a sentence for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})


MESSAGES: Final = {
    400: "This request cannot be understood.",
    404: "There is nothing at this address.",
    405: "This address does not do that: see the answer's Allow header for what it does.",
    413: "This request is too large: at most 64 kB are taken.",
    415: "This request's content is of a type that is not taken here.",
    500: "Something went wrong in the server; it has been logged.",
}


def problem_of(error: Exception) -> Problem:
    """Turn any exception into what its request is answered with."""
    match error:
        case Problem():
            problem = error
        case InvalidTicket():
            problem = Problem(
                422, "INVALID_FIELDS", "Nothing was sent: change the fields that are named.", error.errors
            )
        case NotTaken():
            problem = Problem(503, "NOT_TAKEN", _sentence(error), headers=_RETRY)
        case ViewsUnavailable():
            message = "Market data is not available now: try again in a moment."
            problem = Problem(503, "VIEWS_UNAVAILABLE", message, headers=_RETRY)
        case UnknownOutcome():
            problem = Problem(504, "UNKNOWN_OUTCOME", _sentence(error))
        case HTTPException() if error.status_code in MESSAGES and error.status_code != 500:
            status = error.status_code
            allow = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
            problem = Problem(status, HTTPStatus(status).name, MESSAGES[status], headers=allow)
        case _:
            _LOG.error("a request failed", exc_info=error)
            problem = Problem(500, "INTERNAL_SERVER_ERROR", MESSAGES[500])
    return problem


class ProblemHandler:
    """Answers requests that raised."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def __call__(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes] | Response[str]:
        """Return JSON to who asked the API, and a page to everyone else."""
        problem = problem_of(error)
        if request.scope["path"].startswith("/api/"):
            return problem_json(problem)
        title = HTTPStatus(problem.status).phrase
        return Response(
            self._renderer.page("error", status=problem.status, title=title, message=problem.message),
            status_code=problem.status,
            media_type="text/html",
            headers=problem.headers,
        )


def problem_json(problem: Problem) -> Response[Any]:
    """Return a problem as a program reads it."""
    return Response(
        ProblemShown(error=problem.code, message=problem.message, fields=problem.fields),
        status_code=problem.status,
        media_type="application/json",
        headers=problem.headers,
    )


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
