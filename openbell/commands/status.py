"""`openbell status`."""

from dataclasses import asdict
from typing import Any

import typer

from openbell.console import OUT, print_json, print_table, settings_of

EXAMPLE = "openbell status --json"


def status(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the services, their ports and memory, the jobs, and where the logs are. Exits with 3 when the stack is not up."""
    found = report(context)
    if as_json:
        print_json(found)
        return
    services = found["services"]
    rows = [[name, one["pid"], one["port"], one["restarts"], one["memory_mb"]] for name, one in services.items()]
    rows.append(["total", None, None, None, found["memory_mb"]])
    print_table(["SERVICE", "PID", "PORT", "RESTARTS", "MEMORY MB"], rows, numbers=(1, 2, 3, 4))
    OUT.print()
    jobs = [
        [name, one["state"], one["parallelism"], one["checkpoints"], one["restarts"], " ".join(one["task_managers"])]
        for name, one in found["jobs"].items()
    ]
    print_table(["JOB", "STATE", "PARALLELISM", "CHECKPOINTS", "RESTARTS", "ON"], jobs, numbers=(2, 3, 4))
    OUT.print(f"\nvenue {found['venue']} ({found['clock']} clock)")
    if found["page_url"]:
        OUT.print(f"page at {found['page_url']}", soft_wrap=True)
    OUT.print(f"Kafka at {found['bootstrap_servers']}, Flink at {found['rest_url']}", soft_wrap=True)
    OUT.print(f"logs in {found['logs']}", soft_wrap=True)


def report(context: typer.Context) -> dict[str, Any]:
    """What the command shows. Raises NotReadyError when no stack is up."""
    from openbell import stack
    from openbell.errors import OpenbellError
    from openbell.stack.jobs import JobStatus, wanted_jobs

    up = stack.running(settings_of(context))
    memory = up.memory_mb()
    ports = {
        "kafka": up.settings.kafka_port,
        "redis": up.settings.redis_port,
        "jobmanager": up.settings.flink_rest_port,
        "gateway": up.settings.gateway_port,
    }
    services = {
        name: {**one, "port": ports.get(name), "memory_mb": memory.get(name, 0.0)}
        for name, one in up.services().items()
    }
    jobs = {}
    for name in wanted_jobs(up.settings):
        try:
            jobs[name] = asdict(up.jobs.status(name))
        except OpenbellError:
            jobs[name] = asdict(JobStatus(name=name, state="UNKNOWN"))
    return {
        "venue": up.venue,
        "clock": up.settings.clock,
        "home": str(up.home.path),
        "logs": str(up.home.logs),
        "bootstrap_servers": up.bootstrap_servers,
        "rest_url": up.rest_url,
        "page_url": up.page_url if up.has_page else None,
        "redis_url": up.redis_url if up.has_page else None,
        "services": services,
        "memory_mb": round(sum(memory.values()), 1),
        "jobs": jobs,
    }
