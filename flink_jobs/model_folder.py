"""The folder that a running job takes its model from: files NAME-vN.json, of which the one with the greatest number that is sound is in use.

A file gets its name when it is whole: it is written under a name of another form first, by `publish`, or by hand and renamed. One that does not
decode all the same is passed over, told once, and looked at again when it changes; the model that was in use stays. When a file is taken away, the
one before it is in use again. No job needs to stop for any of this.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias
from uuid import uuid4

from udfs.forecast import FILE_BYTES_MAX, Model, ModelError, decode

LOOK_EVERY_S: Final = 5.0
"""How often a job looks, at most: a look costs a listing of the folder."""

_FILE: Final = re.compile(r"([a-z][a-z0-9-]*)-v([1-9][0-9]{0,5})\.json")
_log = logging.getLogger(__name__)

Signature: TypeAlias = tuple[int, int, int, int]
"""What changes when a file does, or may be read at last: inode, size, time of change and mode."""


class ModelFolder:
    """The newest sound model of one name in a folder, which may come, and change, while this is in use."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        look_every_s: float = LOOK_EVERY_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._name = name
        self._look_every_s = look_every_s
        self._monotonic_s = monotonic_s
        self._look_s = -float("inf")
        self._model: Model | None = None
        self._used: tuple[int, Signature] | None = None
        self._bad: dict[int, Signature] = {}

    def current(self) -> Model | None:
        """Return the model in use, after looking for a newer one if it is time to; None: there has been none yet."""
        now_s = self._monotonic_s()
        if now_s - self._look_s >= self._look_every_s:
            self._look_s = now_s
            self._look()
        return self._model

    def _look(self) -> None:
        """Take the newest file that is sound into use, unless it is in use already. Where there is none, all stays as it is."""
        try:
            found = versions(self._folder, self._name)
        except OSError as error:
            found = {}
            _log.debug("no models can be listed: %s", error)
        for version, path in sorted(found.items(), reverse=True):
            try:
                signature = _signature(path)
                if self._used == (version, signature):
                    return
                if self._bad.get(version) == signature:
                    continue
                self._bad[version] = signature
                self._model = read(path)
            except (OSError, ModelError) as error:
                _log.warning("the model %s is passed over: %s", path, error)
                continue
            self._used = version, signature
            del self._bad[version]
            _log.info("the model %s is in use", path)
            return


def versions(folder: Path, name: str) -> dict[int, Path]:
    """Return the files of a model by version. A folder that is not there has none. Raises OSError where it cannot be listed."""
    if not folder.is_dir():
        return {}
    parts = [(_FILE.fullmatch(path.name), path) for path in folder.iterdir()]
    return {int(match[2]): path for match, path in parts if match is not None and match[1] == name}


def read(path: Path) -> Model:
    """Read a model's file.

    Raises:
        OSError: if it cannot be read.
        ModelError: if it is no sound model, or another than its name says.
    """
    with path.open("rb") as file:
        model = decode(file.read(FILE_BYTES_MAX + 1))
    match = _FILE.fullmatch(path.name)
    if match is not None and (model.name, model.version) != (match[1], int(match[2])):
        raise ModelError(f"it says that it is {model.name}-v{model.version}")
    return model


def publish(model: Model, folder: Path) -> Path:
    """Write a model into a folder, made if need be, as the next version of its name, and return the file.

    Nothing is overwritten: of two that publish at once, one takes the number after the other's.

    Raises:
        OSError: if it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{model.name}.{uuid4().hex}.tmp"
    try:
        while True:
            version = max(versions(folder, model.name), default=0) + 1
            path = folder / f"{model.name}-v{version}.json"
            draft.write_bytes(model.numbered(version).encode())
            try:
                os.link(draft, path)
            except FileExistsError:
                continue
            return path
    finally:
        draft.unlink(missing_ok=True)


def _signature(path: Path) -> Signature:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode
