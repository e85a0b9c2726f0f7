"""What a request is answered with when it cannot be done: for programs a JSON object, for people a page, never any internals."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from gateway.audit.event import AuditUnavailable
from gateway.identity.errors import IdentityError, InvalidField, NotFound, TooManyAttempts
from gateway.identity.ports import IdentitiesUnavailable
from gateway.ports import GatewayError, NotTaken, UnknownOutcome, ViewsUnavailable
from gateway.render import Renderer
from gateway.shown import Shown
from gateway.sign_in.ways import page_of, way_here, way_to_sign_in
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
            return error
        case InvalidTicket():
            return Problem(422, "INVALID_FIELDS", "Nothing was sent: change the fields that are named.", error.errors)
        case IdentityError():
            return _of_identity(error)
        case GatewayError() if (known := _of_gateway(error)) is not None:
            return known
        case HTTPException() if error.status_code in MESSAGES and error.status_code != 500:
            status = error.status_code
            allow = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
            return Problem(status, HTTPStatus(status).name, MESSAGES[status], headers=allow)
    _LOG.error("a request failed", exc_info=error)
    return Problem(500, "INTERNAL_SERVER_ERROR", MESSAGES[500])


def _of_gateway(error: GatewayError) -> Problem | None:
    """Return what is said of servers behind this one that do not do what they should; None: this is not known."""
    match error:
        case NotTaken():
            return Problem(503, "NOT_TAKEN", _sentence(error), headers=_RETRY)
        case AuditUnavailable():
            return Problem(503, "NOT_WRITTEN_DOWN", _sentence(error), headers=_RETRY)
        case ViewsUnavailable():
            message = "Market data is not available now: try again in a moment."
            return Problem(503, "VIEWS_UNAVAILABLE", message, headers=_RETRY)
        case IdentitiesUnavailable():
            message = "It cannot be told now who may enter: try again in a moment."
            return Problem(503, "IDENTITIES_UNAVAILABLE", message, headers=_RETRY)
        case UnknownOutcome():
            return Problem(504, "UNKNOWN_OUTCOME", _sentence(error))
    return None


def _of_identity(error: IdentityError) -> Problem:
    """Return what is said of what somebody wants of their user, key or session and does not get."""
    match error:
        case TooManyAttempts():
            headers = {"Retry-After": str(error.retry_after_s)}
            return Problem(429, "TOO_MANY_REQUESTS", str(error), headers=headers)
        case NotFound():
            return Problem(404, "NOT_FOUND", str(error))
        case InvalidField():
            return Problem(422, "INVALID_FIELDS", str(error), {error.field: str(error)})
    return Problem(422, "REFUSED", str(error))


class ProblemHandler:
    """Answers requests that raised."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def __call__(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        """Return JSON to who asked the API, and a page to everyone else."""
        problem = problem_of(error)
        if request.scope["path"].startswith("/api/"):
            return problem_json(problem)
        if problem.status == 401:
            return _to_sign_in(request)
        title = HTTPStatus(problem.status).phrase
        return Response(
            self._renderer.page("error", status=problem.status, title=title, message=problem.message),
            status_code=problem.status,
            media_type="text/html",
            headers=problem.headers,
        )


def _to_sign_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Send somebody to the page that signs in, and from there back to the page where they were."""
    if request.method == "GET":
        back = way_here(request)
    else:
        back = page_of(request.headers.get("referer", ""), request.headers.get("host", ""))
    if "hx-request" in request.headers:  # else htmx would put that page in place of a part of this one
        return Response(b"", headers={"HX-Redirect": way_to_sign_in(back)})
    return Redirect(way_to_sign_in(back), status_code=303)


def problem_json(problem: Problem) -> Response[Any]:
    """Return a problem as a program reads it."""
    return Response(
        ProblemShown(error=problem.code, message=problem.message, fields=problem.fields),
        status_code=problem.status,
        media_type="application/json",
        headers=problem.headers,
    )


async def refuse(scope: Any, problem: Problem, receive: Any, send: Any) -> None:
    """Answer a request, or close a websocket that is not open yet, before any route has it."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": problem.message})
        return
    response = problem_json(problem)
    body = response.render(response.content, "application/json")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
