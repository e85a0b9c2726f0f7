"""`openbell topics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from openbell.console import print_json, print_table, settings_of
from openbell.errors import SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, venue_of

if TYPE_CHECKING:
    from openbell.stack.topics import TopicState

EXAMPLE = "openbell topics --json"


def topics(
    context: typer.Context,
    create: bool = typer.Option(False, "--create", help="First make those that are missing; what is there stays."),
    partitions: int = typer.Option(
        0, "--partitions", min=0, max=720, help="Partitions of the topics to make.", show_default="as the settings say"
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON, with the offsets of each partition."),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """List the venue's topics with their partitions, first and next offsets (summed up) and records.

    The stack that is up has its topics. A broker that was started in another way gets them by --create.
    """
    from openbell.stack.topics import create as make
    from openbell.stack.topics import state

    if partitions and not create:
        raise SettingError("--partitions goes with --create")
    at = venue_of(context, bootstrap_servers, venue)
    if create:
        make(at.bootstrap_servers, at.name, partitions or settings_of(context).partitions)
    found = state(at.bootstrap_servers, at.name)
    if as_json:
        print_json(list(map(_to_json, found)))
        return
    rows: list[list[Any]] = [
        [one.name, one.partitions, sum(one.begin.values()), sum(one.end.values()), one.records] for one in found
    ]
    print_table(["TOPIC", "PARTITIONS", "BEGIN", "END", "RECORDS"], rows, numbers=(1, 2, 3, 4))


def _to_json(topic: TopicState) -> dict[str, Any]:
    return {
        "name": topic.name,
        "partitions": topic.partitions,
        "begin": topic.begin,
        "end": topic.end,
        "records": topic.records,
    }
