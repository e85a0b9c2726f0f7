"""The description of the interfaces names the routes, parameters and fields that the code has, and no others."""

from __future__ import annotations

import re
from typing import Any

import pytest
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import MultiDict

from gateway import bodies, entry
from gateway.binance import parameters, signed
from gateway.binance.signing import SIGNING as SIGNING_NAMES
from gateway.openapi import binance_signed
from gateway.openapi.document import OPERATIONS, describe, served
from tests.binance.trading_desk import Desk

PROGRAMS = ("/api/", "/udf/", "/health", "/ready", "/metrics", "/openapi.json")
VALUES = {"symbol": "AAPLUSD", "name": "an-alert", "order_id": "1", "request_id": "r1"}
FEED = {"symbol": "AAPLUSD", "resolution": "1", "from": "0", "to": "9"}
KEYS = sorted(OPERATIONS)


def described(document: dict[str, Any], key: str) -> dict[str, Any]:
    method, path = key.split()
    found: dict[str, Any] = document["paths"][path][method.lower()]
    return found


def ask(desk: Desk, key: str, query: dict[str, str] | None = None, body: Any = None) -> Any:
    method, path = re.sub(r"\{(\w+)\}", lambda found: VALUES[found[1]], key).split()
    if OPERATIONS[key].security == "signed":
        return desk.send(method, path.removeprefix("/api/v3"), query)
    return desk.client.request(method, path, params=query, json=body)


def test_every_route_that_is_for_programs_is_described(desk: Desk, document: dict[str, Any]) -> None:
    keys = {key for key, *_ in served(desk.client.app)}
    assert {key for key in keys if key.split()[1].startswith(PROGRAMS)} == set(OPERATIONS)
    assert {f"{method.upper()} {path}" for path, of in document["paths"].items() for method in of} == set(OPERATIONS)


def test_what_is_not_described_are_pages_and_their_files(desk: Desk) -> None:
    left = [key.split() for key, *_ in served(desk.client.app) if key not in OPERATIONS]
    for method, path in left:
        if method == "GET" and not path.startswith("/static/"):
            answer = desk.client.get(re.sub(r"\{(\w+)\}", lambda found: VALUES[found[1]], path))
            is_page = answer.headers.get("content-type", "").startswith("text/html")
            assert is_page or answer.status_code in (302, 303), path


def test_each_operation_has_a_sentence_and_a_name_of_its_own(document: dict[str, Any]) -> None:
    all_of_them = [described(document, key) for key in KEYS]
    assert all(len(each["summary"]) > 5 for each in all_of_them)
    assert len({each["operationId"] for each in all_of_them}) == len(KEYS)


@pytest.mark.parametrize("key", [key for key in KEYS if "/api/v3/" in key])
def test_the_parameters_of_a_binance_route_are_those_that_its_code_takes(
    desk: Desk, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    taken: list[set[str]] = []
    make = parameters.Parameters.__init__

    def noted(self: Any, sent: Any, known: Any) -> None:
        taken.append(set(known))
        make(self, sent, known)

    monkeypatch.setattr(parameters.Parameters, "__init__", noted)
    ask(desk, key)
    names = {each["name"] for each in described(document, key)["parameters"] if each["in"] == "query"}
    signing = set(binance_signed.SIGNING) if OPERATIONS[key].security == "signed" else set()
    assert signing <= set(SIGNING_NAMES)
    assert names == taken[0] | signing


@pytest.mark.parametrize("key", [key for key in KEYS if "/api/v3/" in key and OPERATIONS[key].needed])
def test_a_binance_route_says_that_a_parameter_is_missing_which_is_needed(desk: Desk, key: str) -> None:
    needed = set(OPERATIONS[key].needed) - set(binance_signed.SIGNING)
    good = {"symbol": "AAPLUSD", "interval": "1m", "side": "SELL", "type": "MARKET", "quantity": "1"}
    good |= {"aboveType": "LIMIT_MAKER", "belowType": "STOP_LOSS", "price": "200", "stopPrice": "50"}
    good |= {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": "1"}
    for missing in needed:
        answer = ask(desk, key, {name: good[name] for name in needed - {missing}} | _extra(key, missing))
        assert answer.status_code == 400, answer.text
        assert answer.json()["code"] in (-1102, -1104, -1121), answer.text
        assert missing in answer.json()["msg"], answer.text


def _extra(key: str, missing: str) -> dict[str, str]:
    """Return what must be there for a parameter to be missed."""
    more = {"cancelOrderId": "1"} if "cancelReplace" in key else {}
    return more | ({"abovePrice": "200"} if missing == "belowType" else {})


class Noted(MultiDict[str]):
    """Query parameters that note which of them are read."""

    names: set[str]

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


@pytest.mark.parametrize("key", [key for key in KEYS if "/api/v3/" not in key])
def test_the_parameters_of_any_other_route_are_those_that_its_code_reads(
    desk: Desk, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    read = ASGIConnection.query_params
    noted: set[str] = set()

    def params(self: Request[Any, Any, Any]) -> Any:
        found = Noted(read.fget(self).multi_items())  # type: ignore[attr-defined]
        found.names = noted
        return found

    monkeypatch.setattr(ASGIConnection, "query_params", property(params))
    monkeypatch.setattr(Request, "query_params", property(params), raising=False)
    ask(desk, key, FEED if "/udf/" in key else None)
    names = {each["name"] for each in described(document, key)["parameters"] if each["in"] == "query"}
    assert noted == names


@pytest.mark.parametrize("key", [key for key in KEYS if OPERATIONS[key].body])
def test_the_fields_of_a_body_are_those_that_its_code_takes(
    desk: Desk, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    taken: list[set[str]] = []
    unknown = bodies._unknown

    def noted(found: dict[str, Any], names: Any) -> dict[str, str]:
        taken.append(set(names))
        return unknown(found, names)

    monkeypatch.setattr(bodies, "_unknown", noted)
    body = described(document, key)["requestBody"]["content"]["application/json"]["schema"]
    schemas = document["components"]["schemas"]
    inner = {name: _fields(each, schemas) for name, each in body["properties"].items()}
    ask(desk, key, body={"no-such-field": 1, **{name: {} for name, fields in inner.items() if fields}})
    assert taken[0] == set(body["properties"])
    assert taken[1:] == [fields for fields in inner.values() if fields]


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """Return the fields of an object, or of all that it may be."""
    if "$ref" in schema:
        return _fields(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return set(schema.get("properties", ())).union(*(_fields(each, schemas) for each in schema.get("anyOf", ())))


def test_the_headers_that_are_named_are_those_that_are_read(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["OpenbellKey"]["name"].lower() == entry.KEY_HEADER
    assert schemes["BinanceKey"]["name"].lower() == signed.KEY_HEADER
    headers = {
        each["name"].lower()
        for key in KEYS
        for each in described(document, key)["parameters"]
        if each["in"] == "header"
    }
    assert headers == {entry.ACCOUNT_HEADER} == {signed.ACCOUNT_HEADER}


def test_the_page_and_its_files_are_there_for_everybody(desk: Desk) -> None:
    page = desk.client.get("/docs")
    assert page.status_code == 200
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        answer = desk.client.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["content-type"].startswith(("text/", "image/", "application/javascript"))
    script = desk.client.get("/static/vendor/swagger-ui-bundle.js.gz")
    assert script.headers["content-encoding"] == "gzip"
    assert "SwaggerUIBundle" in script.text


def test_the_description_is_the_same_each_time(desk: Desk) -> None:
    assert describe(desk.client.app) == describe(desk.client.app)
