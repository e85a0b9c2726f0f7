"""Writes logs for programs, as one JSON object a line, or for people, as one line of text; both with the request that a line is of.

Nothing that comes from outside can begin a line of its own: in JSON line breaks are escaped, and in text, too, those of errors that
are shown with their traces excepted, whose lines are indented.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO, TypeAlias

from gateway.request_ids import REQUEST_ID

LogFormat: TypeAlias = Literal["text", "json"]

_CONTROLS: Final = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))} | {
    number: f"\\u{number:04x}" for number in (0x2028, 0x2029)
}


class JsonLines(logging.Formatter):
    """One JSON object a record: `time`, `level`, `logger`, `message`, `request_id` and `error` where there is one, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = REQUEST_ID.get()
        if request_id:
            line["request_id"] = request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """One line a record: time, level, message, and the request's id where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and those of the error behind it."""
        message = record.getMessage().translate(_CONTROLS)
        request_id = REQUEST_ID.get()
        line = f"{self.formatTime(record)} {record.levelname} {message}"
        if request_id:
            line += f" request_id={request_id}"
        if record.exc_info:
            line += "".join(
                f"\n    {each.translate(_CONTROLS)}" for each in self.formatException(record.exc_info).splitlines()
            )
        return line


def configure(form: LogFormat = "text", level: int = logging.WARNING, stream: TextIO | None = None) -> None:
    """Have everything from a level on written to stderr, or to a stream."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level, handlers=[handler])
