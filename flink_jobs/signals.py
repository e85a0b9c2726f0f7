"""The signals job: rules on what `indicators` says, how well they do, rankings of all symbols, and alerts.

Three operators that share a slot: a signaller per symbol, the ranking of the whole market under one key, and the alerts with their rules
broadcast. What the first says comes to the third through Kafka, like all else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import udfs
from exchange import topics
from exchange.analysis import MARKET_KEY
from exchange.host import Host
from exchange.topics import topic_name
from flink_jobs import alert_stream
from flink_jobs.job import MachineJob, Venue, parse_venue
from flink_jobs.kafka_streams import environments, read_keyed, read_rows, write
from flink_jobs.machine_function import ClosingFunction
from flink_jobs.model_folder import ModelFolder
from udfs.ranking import ranking_host
from udfs.signaller import Predict, SeriesKey, signaller_host
from wire.security import process_security

NAME = "signals"
MODEL = "direction"
MODELS = Path(udfs.__file__).parent / "models"
"""Where the models are that come with Openbell."""


def predictor(*folders: ModelFolder) -> Predict:
    """Return what asks the newest model of the first folder that has one, of series whose bars are as long as those that it was trained on."""

    def predict(series: SeriesKey, values: Mapping[str, float]) -> float | None:
        model = next((model for folder in folders if (model := folder.current())), None)
        return model.probability(values, values["close"]) if model and model.span_ms == series[2] else None

    return predict


def host(venue: Venue) -> Host:
    """Return a host for the signallers of a venue's symbols."""
    folders = [Path(venue.models), MODELS] if venue.models else [MODELS]
    return signaller_host(predictor(*(ModelFolder(folder, MODEL) for folder in folders)))


SIGNALLING = MachineJob(
    NAME,
    (topics.INDICATORS, topics.MARKET_DATA),
    (topics.SIGNALS, topics.SCORES, topics.DEAD_LETTERS),
    host,
)
RANKING = MachineJob(
    "ranking",
    (topics.SUMMARIES, topics.PROFITS),
    (topics.LEADERS, topics.RANKINGS, topics.DEAD_LETTERS),
    lambda _: ranking_host(),
    ClosingFunction,
    ticks_in_replay=True,
)
OUTPUTS = tuple(dict.fromkeys((*SIGNALLING.outputs, *RANKING.outputs, *alert_stream.OUTPUTS)))


def run(venue: Venue) -> None:
    """Connect the job to Kafka and submit it."""
    env, tables = environments(f"{NAME}-{venue.name}")
    servers, group = venue.servers, f"{venue.name}-{NAME}"

    def names(*of: str) -> list[str]:
        return [topic_name(venue.name, topic) for topic in of]

    told = read_keyed(tables, servers, names(*SIGNALLING.inputs), group)
    summaries = read_keyed(tables, servers, names(*RANKING.inputs), f"{group}-ranking", key=MARKET_KEY)
    facts = read_keyed(tables, servers, names(*alert_stream.INPUTS), f"{group}-alerts")
    commands = read_rows(tables, servers, names(topics.ALERT_RULES), f"{group}-rules")
    log = alert_stream.command_log(venue, process_security())
    rows = SIGNALLING.build(told, venue).union(
        RANKING.build(summaries, venue), alert_stream.build(facts, commands, venue, log)
    )
    write(tables, servers, names(*OUTPUTS), rows)
    env.execute(f"{NAME}-{venue.name}")


def main() -> None:
    """Submit the job."""
    run(parse_venue(NAME))


if __name__ == "__main__":
    main()
