"""Flink's REST API, as much of it as a stack needs."""

import json
import urllib.error
import urllib.request
from typing import Any

from openbell.errors import OpenbellError


class FlinkRest:
    """A client of one cluster. Every method raises OpenbellError when the cluster does not answer or refuses."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body)

    def cancel(self, job_id: str) -> None:
        """Ask for a job's end without a savepoint; its last checkpoint is kept."""
        self._call("PATCH", f"/jobs/{job_id}?mode=cancel", None)

    def task_managers(self) -> list[dict[str, Any]]:
        """The TaskManagers that have registered."""
        found: list[dict[str, Any]] = self.get("/taskmanagers")["taskmanagers"]
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs that the JobManager remembers: `jid`, `name`, `state`, `start-time`, `tasks`, ..."""
        found: list[dict[str, Any]] = self.get("/jobs/overview")["jobs"]
        return found

    def task_managers_of(self, job_id: str) -> list[str]:
        """The names of the TaskManagers on which a job's tasks run."""
        names: set[str] = set()
        for vertex in self.get(f"/jobs/{job_id}")["vertices"]:
            found = self.get(f"/jobs/{job_id}/vertices/{vertex['id']}/taskmanagers")["taskmanagers"]
            names.update(one["taskmanager-id"] for one in found)
        return sorted(names)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310  (the URL is our own)
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise OpenbellError(f"Flink refused {method} {path}: {_reason(error.read())}") from None
        except (OSError, ValueError) as error:
            raise OpenbellError(f"Flink does not answer at {self.url}: {error}") from None


def _reason(answer: bytes) -> str:
    """The first line of what Flink gave as its errors."""
    try:
        errors = json.loads(answer).get("errors", [])
    except ValueError:
        errors = [answer.decode(errors="replace")]
    lines = [line for text in errors for line in str(text).splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"
