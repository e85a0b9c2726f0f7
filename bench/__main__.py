"""Run the benchmarks: `make bench`, or `make bench ARGS='latency --repeat 1'`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from bench import (
    core,
    engine,
    gateway,
    indicator_latency,
    indicators,
    latency,
    live,
    machine,
    projector,
    state,
    throughput,
    windows,
)
from bench.cluster import Cluster, cluster

Row = dict[str, Any]


def main() -> None:
    """Measure what is asked for and print a Markdown table, or JSON lines."""
    parser = argparse.ArgumentParser(prog="python -m bench", epilog="example: python -m bench core matching --repeat 3")
    parser.add_argument("what", nargs="*", help=f"of {', '.join(BENCHES)}; all by default")
    parser.add_argument("--repeat", type=int, default=3, help="times that each throughput is measured (default 3)")
    parser.add_argument("--json", action="store_true", help="print a JSON object a figure")
    given = parser.parse_args()
    unknown = set(given.what) - set(BENCHES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; choose from {', '.join(BENCHES)}")
    wanted = given.what or list(BENCHES)
    print(machine.describe(), file=sys.stderr)
    for name in (name for name in wanted if name in ALONE):
        for row in BENCHES[name](None, given.repeat):
            _show(row, given.json)
    if not ALONE.issuperset(wanted):
        with cluster() as running:
            for name in (name for name in wanted if name not in ALONE):
                for row in BENCHES[name](running, given.repeat):
                    _show(row, given.json)


def _show(row: Row, as_json: bool) -> None:
    print(json.dumps(row) if as_json else "| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)


def _rates(what: str, rates: list[float]) -> Row:
    """Sum up repeated measurements; the spread is from the least to the greatest."""
    spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
    return {"what": what, "median": f"{median(rates):,.0f} orders/s", "spread": spread, "load": machine.load()}


def _core(_: None, repeat: int) -> Iterator[Row]:
    for packet in (1, 100):
        rates = [core.books(200_000, packet) for _ in range(repeat)]
        yield _rates(f"books alone, packets of {packet}", rates)
    for depth in (100, 10_000, 1_000_000):
        rate, written = core.resting(depth)
        what = f"one book with {depth:,} resting orders, packets of 100"
        yield {"what": what, "rate": f"{rate:,.0f} orders/s", "state": f"{written:,.0f} bytes of state an order"}


def _engine(_: None, repeat: int) -> Iterator[Row]:
    yield from engine.compare(repeat)


def _state(_: None, __: int) -> Iterator[Row]:
    yield from state.compare()


def _matching(running: Cluster, repeat: int) -> Iterator[Row]:
    for packet, orders in ((1, 600_000), (100, 3_000_000)):
        rates = [throughput.matching(running, f"m{packet}-{number}", orders, packet) for number in range(repeat)]
        yield _rates(f"matching, packets of {packet}", rates)


def _accounts(running: Cluster, repeat: int) -> Iterator[Row]:
    for accounts in (2, 10_000):
        for packet, orders in ((1, 60_000), (100, 300_000)):
            rates = [
                throughput.both(running, f"a{accounts}-{packet}-{number}", orders, packet, accounts)
                for number in range(repeat)
            ]
            yield _rates(f"accounts and matching, {accounts:,} accounts, packets of {packet}", rates)


def _latency(running: Cluster, _: int) -> Iterator[Row]:
    for rate in (200, 1_000):
        for hop in latency.latency(running, f"l{rate}", rate, 30):
            yield _hop(f"{rate:,} orders/s", hop)


def _live(_: None, repeat: int) -> Iterator[Row]:
    with live.market() as stack:
        memory = stack.memory_mb()
        yield {
            "what": "memory, idle",
            **{name: f"{mb:,.0f} MB" for name, mb in memory.items()},
            "sum": f"{sum(memory.values()):,.0f} MB",
        }
        for hop in live.order_to_paint(stack, 200, 30):
            yield _hop("200 orders/s", hop)
        for number in (1, 200):
            yield live.clients(stack, number, 200, 20)
        projector.generate(stack, 150_000, 100)
        rebuilds = [projector.rebuild(stack) for _ in range(repeat)]
        rates = [one.messages / one.seconds for one in rebuilds]
        million = [1e6 / rate for rate in rates]
        yield {
            "what": f"rebuild of the views from {rebuilds[0].messages:,} messages",
            "median": f"{median(rates):,.0f} messages/s",
            "spread": f"{min(rates):,.0f} to {max(rates):,.0f}",
            "a million": f"{median(million):.1f} s",
            "load": machine.load(),
        }
    with live.market(analytics="off") as stack:
        for hop in live.order_to_paint(stack, 200, 30):
            yield _hop("200 orders/s without analysis", hop)


def _indicators(_: None, repeat: int) -> Iterator[Row]:
    yield from indicators.alone(repeat)
    yield from indicators.through(repeat)


def _windows(_: None, repeat: int) -> Iterator[Row]:
    yield from windows.compare(repeat)


def _freshness(_: None, __: int) -> Iterator[Row]:
    with indicator_latency.market() as stack:
        for hop in indicator_latency.trade_to_indicator(stack, 200, 30):
            yield _hop("200 trades/s", hop)


def _gateway(_: None, repeat: int) -> Iterator[Row]:
    yield from gateway.measure(repeat)


def _hop(what: str, hop: latency.Latency) -> Row:
    return {"what": f"{what}: {hop.hop}", "p50": hop.p50, "p95": hop.p95, "p99": hop.p99, "unit": "ms"}


BENCHES: dict[str, Callable[[Any, int], Iterator[Row]]] = {
    "core": _core,
    "engine": _engine,
    "state": _state,
    "matching": _matching,
    "accounts": _accounts,
    "latency": _latency,
    "live": _live,
    "indicators": _indicators,
    "windows": _windows,
    "freshness": _freshness,
    "gateway": _gateway,
}
ALONE = {"core", "engine", "state", "live", "indicators", "windows", "freshness", "gateway"}
"""Those that do not share the stack of the others: `core` and `engine` need none, `state`, `indicators` and `windows` one of their own,
`live`, `freshness` and `gateway` a whole one with its page."""

if __name__ == "__main__":
    main()
