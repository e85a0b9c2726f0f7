"""Kafka in and out of a job by the fast path: no Python runs but the machine's own.

Theory of operation: PyFlink's `key_by` and its Kafka classes put Python operators, or an unkeyed sink, around each
record. Flink's SQL connector does the same in Java: the source reads key and value as raw text and puts the record's
topic, position and append time in front of the value; the key is taken from the row in Java; the sink takes (topic, key, value)
rows. Text is Latin-1 on the way in, so that bytes which are no UTF-8 arrive as they are.

The keyed stream is made through PyFlink's private API; this is the one place, and `tests/flink_jobs` runs it.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyflink.common import Configuration
from pyflink.common.typeinfo import Types
from pyflink.datastream import KeyedStream, StreamExecutionEnvironment
from pyflink.datastream.data_stream import DataStream
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from exchange.host import Record
from exchange.topics import RECORD_BYTES_MAX
from flink_jobs.kafka_security import connection

OUTPUT = Types.ROW_NAMED(["topic", "k", "v"], [Types.STRING(), Types.STRING(), Types.STRING()])

_SOURCE = """
CREATE TEMPORARY TABLE {table} (
  k STRING, v STRING, `topic` STRING METADATA VIRTUAL,
  `partition` INT METADATA VIRTUAL, `offset` BIGINT METADATA VIRTUAL, `timestamp` TIMESTAMP_LTZ(3) METADATA VIRTUAL
) WITH (
  'connector' = 'kafka', 'topic' = '{topics}', {connection},
  'properties.group.id' = '{group}', 'scan.startup.mode' = 'earliest-offset',
  'properties.client.id.prefix' = '{group}',
  'key.format' = 'raw', 'key.fields' = 'k', 'key.raw.charset' = 'ISO-8859-1',
  'value.format' = 'raw', 'value.raw.charset' = 'ISO-8859-1', 'value.fields-include' = 'EXCEPT_KEY'
)"""

_HEADED = """
SELECT {key} AS k,
  CONCAT(`topic`, ' ', CAST(`partition` AS STRING), ' ', CAST(`offset` AS STRING), ' ',
    CAST(EXTRACT(EPOCH FROM `timestamp`) * 1000 + MOD(EXTRACT(MILLISECOND FROM `timestamp`), 1000) AS STRING),
    ' ', COALESCE(v, '')) AS v
FROM {table}"""

_SINK = """
CREATE TEMPORARY TABLE sink_records (topic STRING METADATA, k STRING, v STRING) WITH (
  'connector' = 'kafka', 'topic' = '{topics}', {connection},
  'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'at-least-once', 'properties.acks' = 'all', 'properties.enable.idempotence' = 'true',
  'properties.linger.ms' = '{linger_ms}', 'properties.batch.size' = '262144',
  'properties.max.request.size' = '{request_bytes}', 'properties.delivery.timeout.ms' = '600000'
)"""

SINK_LINGER_MS = 1

SETTINGS = {
    "python.execution-mode": "thread",
    "pipeline.max-parallelism": "720",
    "execution.buffer-timeout.interval": "1 ms",
    "table.local-time-zone": "UTC",
    "table.exec.uid.generation": "ALWAYS",
}
"""What the jobs rely on, whatever the cluster's own settings: thread mode; a key space that never changes; no waiting for
a network buffer to fill (Flink's 100 ms, twice, would be most of an order's latency); times in UTC; and operator ids that
stay the same from one submission to the next."""


def keyed(stream: DataStream) -> KeyedStream:
    """Key a stream of (key, value) rows by their first field, in Java."""
    jvm = get_gateway().jvm
    selector = jvm.org.apache.flink.streaming.api.functions.python.KeyByKeySelector()
    key_type = Types.ROW([Types.STRING()]).get_java_type_info()
    return KeyedStream(stream._j_data_stream.keyBy(selector, key_type), Types.STRING(), stream)  # noqa: SLF001


def read_rows(
    tables: StreamTableEnvironment, servers: str, topics: Iterable[str], group: str, *, key: str | None = None
) -> DataStream:
    """Read topics from their beginning, or from the state restored, as rows of key and text for `to_record`.

    The keys are the records', or `key` for all. A job that reads several times names its groups differently.
    """
    table = group.replace("-", "_") + "_records"
    tables.execute_sql(
        _SOURCE.format(table=table, topics=";".join(topics), connection=connection(servers), group=group)
    )
    query = _HEADED.format(table=table, key="COALESCE(k, '')" if key is None else f"'{key}'")
    return tables.to_append_stream(tables.sql_query(query), Types.ROW([Types.STRING(), Types.STRING()]))


def read_keyed(
    tables: StreamTableEnvironment, servers: str, topics: Iterable[str], group: str, *, key: str | None = None
) -> KeyedStream:
    """Read topics as `read_rows` does, keyed."""
    return keyed(read_rows(tables, servers, topics, group, key=key))


def to_record(key: str, text: str) -> Record:
    """Read back a record from the text that `read_keyed` made of it."""
    topic, partition, offset, time_ms, value = text.split(" ", 4)
    return Record(topic, int(partition), int(offset), int(time_ms), key, value.encode("latin-1"))


def write(tables: StreamTableEnvironment, servers: str, topics: Iterable[str], stream: DataStream) -> None:
    """Write a stream of `OUTPUT` rows to their topics, at least once and in the order of each key."""
    tables.execute_sql(
        _SINK.format(
            topics=";".join(topics),
            connection=connection(servers),
            linger_ms=SINK_LINGER_MS,
            request_bytes=8 * RECORD_BYTES_MAX,
        )
    )
    statements = tables.create_statement_set()
    statements.add_insert("sink_records", tables.from_data_stream(stream))
    statements.attach_as_datastream()


def environments(job: str) -> tuple[StreamExecutionEnvironment, StreamTableEnvironment]:
    """Return the stream and table environments of a job, set up for the order path."""
    config = Configuration()
    for name, value in SETTINGS.items():
        config.set_string(name, value)
    config.set_string("pipeline.name", job)
    env = StreamExecutionEnvironment.get_execution_environment(config)
    env.configure(config)
    tables = StreamTableEnvironment.create(env)
    for name, value in SETTINGS.items():
        tables.get_config().set(name, value)
    return env, tables
