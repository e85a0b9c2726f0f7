"""The routes that serve the description of the others, and a page that shows it."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get

from gateway.openapi.document import encoded
from gateway.services import Services


@get("/openapi.json", opt={"needs": "enter"})
async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the description of all routes that are for programs."""
    return Response(encoded(request.app), media_type="application/json", headers={"Cache-Control": "no-cache"})


@get("/docs", opt={"needs": "enter"}, media_type="text/html")
async def docs_page(services: Services) -> str:
    """Return the page that shows the description."""
    return services.renderer.page("docs")


HANDLERS: Final = (openapi, docs_page)
