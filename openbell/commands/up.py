"""`openbell up`."""

import typer

from openbell.console import OUT, progress, settings_of

EXAMPLE = "OPENBELL_TASK_MANAGERS=3 openbell up"


def up(
    context: typer.Context,
    no_jobs: bool = typer.Option(False, "--no-jobs", help="Start the servers and make the topics, but submit no jobs."),
) -> None:
    """Start Kafka, Flink, Redis and the page, make the topics, submit the jobs, and wait until all of it is ready.

    What runs already is left as it is. Jobs go on from their last savepoint or checkpoint.
    """
    from openbell import stack

    settings = settings_of(context)
    with progress() as say:
        started = stack.up(settings, jobs=not no_jobs, say=say)
    OUT.print(
        f"Openbell is up: venue {started.venue}, Kafka at {started.bootstrap_servers}, Flink at {started.rest_url}",
        soft_wrap=True,
    )
    if started.has_page:
        OUT.print(f"Open {started.page_url}", style="bold", soft_wrap=True)
    OUT.print(f"Logs are in {started.home.logs}", soft_wrap=True)
