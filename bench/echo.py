"""Servers that only answer: what a request costs before any of ours is done for it."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any, Final

import uvicorn
import uvloop
from litestar import Litestar, post

from gateway.server import configured

BODY: Final = b'{"orderId":1}'
KINDS: Final = ("uvicorn", "litestar")


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request alike, as an ASGI application without a framework."""
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})


@post("/", status_code=200)
async def echo() -> dict[str, int]:
    """Answer alike, as a Litestar route."""
    return {"orderId": 1}


def main() -> None:
    """Serve one kind on a free port, which is printed, until a signal."""
    kind = sys.argv[1]
    app: Any = bare if kind == "uvicorn" else Litestar([echo], openapi_config=None, logging_config=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = configured(app)
        config.lifespan = "off"
        print(listener.getsockname()[1], flush=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
