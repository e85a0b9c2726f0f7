"""The description itself: what the tables say of each route, put together by the routes that the application has.

Litestar could make one from its handlers' signatures, but would say things that are not so: handlers here take queries and bodies by hand, since
each API lays down its own way to refuse what is wrong, and errors have the forms of those APIs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any, Final, get_type_hints

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from exchange.analysis import Condition
from gateway.limiting.bounds import QUERY_BYTES_MAX
from gateway.openapi import binance_market, binance_signed, native, server, udf
from gateway.openapi.schemas import PROBLEM, TEXT, Operation, Schema, Security
from gateway.problems import ProblemShown

OPERATIONS: Final = {
    **binance_market.OPERATIONS,
    **binance_signed.OPERATIONS,
    **native.OPERATIONS,
    **udf.OPERATIONS,
    **server.OPERATIONS,
}
"""What is said of each route, by method and path."""
ABOUT: Final = f"""\
The interfaces of this exchange that are for programs and answer HTTP. Decimals are strings; times are milliseconds since the epoch in UTC
unless they are said to be something else. Beside what is said of each route, a request may be refused with 405 (the method), 408 (its body did
not come in time), 414 (a query of more than {QUERY_BYTES_MAX} bytes) and 431 (too many headers).

Signed requests of the Binance-shaped API may have their parameters in a form's body, too. Websockets are not described here.
"""
_SECURITY: Final[dict[Security, list[dict[str, list[str]]]]] = {
    "none": [],
    "key": [{"OpenbellKey": []}, {}],
    "signed": [{"BinanceKey": []}],
}
_SCHEMES: Final = {
    "OpenbellKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "KEY.SECRET. Without it, a visitor asks, who trades with the demo account where there is one.",
    },
    "BinanceKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-MBX-APIKEY",
        "description": "The key; its secret signs the request.",
    },
}
_ACCOUNT: Final[dict[str, Any]] = {
    "name": "X-Openbell-Account",
    "in": "header",
    "schema": TEXT,
    "description": "Another account than one's own, of those that one may use.",
}
_MEANINGS: Final = {
    200: "What was asked for.",
    201: "It was placed.",
    204: "It was taken.",
    400: "The request cannot be understood, or something in it is wrong.",
    401: "The key is not valid, or nobody has said who asks.",
    403: "Who asks may not do this.",
    404: "There is no such thing.",
    409: "It was refused.",
    413: "The request is too large.",
    415: "The content is of a type that is not taken here.",
    422: "Parameters or fields are wrong; they are named.",
    429: "Too much was asked for: try again after `Retry-After` seconds.",
    503: "It cannot be answered now, and had no effect: try again after `Retry-After` seconds.",
    504: "It was sent and has not been answered: it may have had its effect, so ask by its id.",
}


def served(app: Litestar) -> Iterator[tuple[str, HTTPRoute, HTTPRouteHandler]]:
    """Return all routes of an application with a method each, such as `GET /health`."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in sorted(handler.http_methods - {"OPTIONS"}):
                    yield f"{method} {route.path_format}", route, handler


def describe(app: Litestar) -> dict[str, Any]:
    """Return the description of an application's routes."""
    paths: dict[str, dict[str, Any]] = {}
    shapes = _Shapes()
    for key, route, handler in served(app):
        operation = OPERATIONS.get(key)
        if operation is not None:
            method = key.partition(" ")[0].lower()
            paths.setdefault(route.path_format, {})[method] = _operation(key, route, handler, operation, shapes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Openbell", "version": version("openbell"), "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in OPERATIONS.values())],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(shapes.named.items())), "securitySchemes": _SCHEMES},
    }


class _Shapes:
    """The shapes that are referred to, by name."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {"BinanceError": binance_market.ERROR}
        self.of(ProblemShown)
        self.of(Condition)

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type or a schema."""
        if isinstance(kind, dict):
            return kind
        (schema,), named = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
        self.named |= {name: _whole(each) for name, each in named.items()}
        return schema


def _whole(shape: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what is answered: all of its fields are there, unless it can be asked with, too, and then has what it was asked with."""
    first = re.split(r"\n\s*\n|(?<=\.)\s", shape.get("description", ""))[0]
    told = {**shape, "description": " ".join(first.split())}
    if "properties" not in shape or "additionalProperties" in shape:
        return told
    return {**told, "required": list(shape["properties"]), "additionalProperties": False}


def _operation(key: str, route: HTTPRoute, handler: HTTPRouteHandler, of: Operation, shapes: _Shapes) -> dict[str, Any]:
    answer = get_type_hints(_function(handler))["return"] if of.answer is None else of.answer
    answers = {of.status: (of.media, shapes.of(answer))}
    answers |= {
        status: ("application/json", shapes.of(schema)) for status, schema in {400: PROBLEM, **of.errors}.items()
    }
    described: dict[str, Any] = {
        "tags": [of.tag],
        "summary": (_function(handler).__doc__ or handler.summary or "")
        .partition("\n")[0]
        .rstrip(".")
        .replace("`", ""),
        "operationId": re.sub(r"\W+(\w)", lambda found: found[1].upper(), key[0].lower() + key[1:].rstrip("}").lower()),
        "parameters": [*_path(route), *_query(of), *([] if of.security == "none" else [_ACCOUNT])],
        "responses": {
            str(status): {"description": _MEANINGS[status], "content": {media: {"schema": schema}}}
            for status, (media, schema) in sorted(answers.items())
        },
        "security": _SECURITY[of.security],
    }
    if of.body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": of.body}}}
    return described


def _function(handler: HTTPRouteHandler) -> Any:
    return getattr(handler.fn, "value", handler.fn)


def _path(route: HTTPRoute) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", route.path_format)
    return [{"name": name, "in": "path", "required": True, "schema": native.PATH[name]} for name in names]


def _query(of: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": name in of.needed, "schema": schema}
        for name, schema in of.query.items()
    ]


@cache
def encoded(app: Litestar) -> bytes:
    """Return the description as JSON, made once."""
    return msgspec.json.encode(describe(app))
