"""What the routes take and answer that are for those who run the server, and for their tools."""

from __future__ import annotations

from typing import Final

from gateway.openapi.schemas import FLAG, PROBLEM, TEXT, Operation, record, rows

_TAG: Final = "Server"
_HERE: Final = {400: PROBLEM}
_READY: Final = record({"ready": FLAG, "reasons": rows(TEXT)})

OPERATIONS: Final = {
    "GET /health": Operation(tag=_TAG, answer=record({"alive": FLAG}), errors=_HERE),
    "GET /ready": Operation(tag=_TAG, answer=_READY, errors={503: _READY, **_HERE}),
    "GET /metrics": Operation(tag=_TAG, answer=TEXT, media="text/plain", errors=_HERE),
    "GET /openapi.json": Operation(tag=_TAG, answer={"type": "object"}, errors=_HERE),
}
