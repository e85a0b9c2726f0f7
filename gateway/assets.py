"""The files that pages need, `/static/...`: held in memory, so that an address can only ever name one of them."""

from __future__ import annotations

from hashlib import blake2b
from mimetypes import guess_type
from pathlib import Path
from typing import Any, Final, NamedTuple

from litestar import Request, Response, get

from gateway.problems import Problem

STATIC: Final = Path(__file__).parent / "static"


class Asset(NamedTuple):
    """A file's content, its type, a tag that changes with the content, and how it is compressed, such as `gzip`; None: it is not."""

    content: bytes
    media_type: str
    etag: str
    encoding: str | None


def read_assets(folder: Path = STATIC) -> dict[str, Asset]:
    """Return all files under a folder by their path in it, such as `vendor/htmx.min.js`."""
    return {
        path.relative_to(folder).as_posix(): _asset(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@get("/static/{name:path}", opt={"needs": "enter", "weight": 0})
async def static_file(request: Request[Any, Any, Any], assets: dict[str, Asset], name: str) -> Response[bytes]:
    """Return a file, or word that the browser's copy is still good: a browser asks every time, so a new version shows at once."""
    asset = assets.get(str(name).lstrip("/"))
    if asset is None:
        raise Problem(404, "NOT_FOUND", "There is no such file.")
    headers = {"ETag": asset.etag, "Cache-Control": "public, no-cache"}
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, media_type=asset.media_type, headers=headers)
    if asset.encoding is not None:
        headers["Content-Encoding"] = asset.encoding
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    kind, encoding = guess_type(path.name)
    return Asset(content, kind or "text/plain", f'"{blake2b(content, digest_size=12).hexdigest()}"', encoding)
