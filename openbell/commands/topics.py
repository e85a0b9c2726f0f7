"""`openbell topics`."""

from typing import Any

import typer

from openbell.console import print_json, print_table, settings_of

EXAMPLE = "openbell topics --json"


def topics(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json", help="Print JSON, with the offsets of each partition."),
) -> None:
    """List the venue's topics with their partitions, first and next offsets (summed up) and records."""
    from openbell import stack
    from openbell.stack.topics import state

    up = stack.running(settings_of(context))
    found = state(up.bootstrap_servers, up.venue)
    if as_json:
        print_json(
            [
                {
                    "name": one.name,
                    "partitions": one.partitions,
                    "begin": one.begin,
                    "end": one.end,
                    "records": one.records,
                }
                for one in found
            ]
        )
        return
    rows: list[list[Any]] = [
        [one.name, one.partitions, sum(one.begin.values()), sum(one.end.values()), one.records] for one in found
    ]
    print_table(["TOPIC", "PARTITIONS", "BEGIN", "END", "RECORDS"], rows, numbers=(1, 2, 3, 4))
