"""Alerts: each condition when it becomes true, and everything over again from state after every message."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from exchange import analysis as a
from exchange import messages as m
from exchange.errors import InvalidPacket
from exchange.packets import encode
from udfs.alerts import RULES_MAX, AccountRules, AlertWatch, Watchlist, decode_facts

MINUTE = 60_000
DAY = 86_400_000


class Watched:
    """A key under watch, twice: one machine that goes on, and one that is rebuilt from stored state before every message."""

    def __init__(self, key: str = "AAPLUSD") -> None:
        self.key = key
        self.rules: dict[str, dict[str, str]] = {}
        self.watchlist = Watchlist()
        self.accounts: dict[str, AccountRules] = {}
        self.steady = AlertWatch(key, self.watchlist)
        self.stored: dict[str, str] = {}
        self.now_ms = 0
        """When what comes is written to the log."""

    def command(self, *commands: a.SetAlert | a.RemoveAlert) -> None:
        for command in commands:
            account = command.account
            if account not in self.accounts:
                self.accounts[account] = AccountRules(account, self.watchlist)
            assert self.accounts[account].accepts(command)
            assert self.accounts[account].apply(command, self.now_ms) == []
            store(self.rules.setdefault(account, {}), self.accounts[account].changes())

    def take(self, *messages: Any) -> list[a.Alert]:
        alerts = []
        for message in messages:
            watchlist = Watchlist()
            for account in sorted(self.rules, reverse=True):
                AccountRules(account, watchlist, self.rules[account])
            assert len(watchlist) == len(self.watchlist)
            restored = AlertWatch(self.key, watchlist, self.stored)
            assert restored.accepts(message)
            [read] = decode_facts(encode(message))
            told = self.steady.apply(read, self.now_ms)
            assert restored.apply(read, self.now_ms) == told, (
                "a machine rebuilt from its state goes on as if never lost"
            )
            store(self.stored, restored.changes())
            copy = AlertWatch(self.key, watchlist, self.stored)
            assert copy._facts == self.steady._facts
            alerts += told
        return alerts

    def texts(self, *messages: Any) -> list[str]:
        return [alert.text for alert in self.take(*messages)]


def store(entries: dict[str, str], changes: dict[str, str | None]) -> None:
    for name, text in changes.items():
        if text is None:
            entries.pop(name, None)
        else:
            entries[name] = text


def alert(condition: a.Condition, name: str = "mine", **more: Any) -> a.SetAlert:
    fields = {"account": "ann", "symbol": "AAPLUSD", "channels": ["inbox"], **more}
    return a.SetAlert(alert=name, condition=condition, **fields)


def crosses(price: float, direction: Any = "up") -> a.PriceCrosses:
    return a.PriceCrosses(price=price, direction=direction)


def last(price: float, version: int, minute: int = 0, **more: Any) -> a.Indicators:
    fields: dict[str, Any] = {"source": a.TRADES_SOURCE, "span_ms": MINUTE, "values": {}, **more}
    return a.Indicators(
        symbol="AAPLUSD", start_ms=minute * MINUTE, version=version, bars=minute + 1, open=price, high=price, low=price,
        close=price, volume=1.0, **fields,
    )  # fmt: skip


def closed(minute: int, version: int | None = None, source: str = a.TRADES_SOURCE, **values: float) -> a.Indicators:
    named = {name.replace("_", "(") + ")": value for name, value in values.items()}
    return last(190.0, version or minute + 1, minute, values=named, closed=True, source=source)


def candle(minute: int, volume: int, trades: int = 1, listing: int = 1, closed: bool = True) -> a.Candle:
    return a.Candle(
        symbol="AAPLUSD", span_ms=MINUTE, start_ms=minute * MINUTE, open=100, high=100, low=100, close=100, volume=volume,
        turnover=volume * 100, trades=trades, listing=listing, closed=closed,
    )  # fmt: skip


def summary(change: float, trades: int, session: int = 1, time_ms: int = 5, listing: int = 1) -> a.SymbolSummary:
    """A summary whose session began with trade number `session`."""
    totals = a.Totals(open=100, high=100, low=100, close=100, volume=1, turnover=100, trades=trades - session + 1)
    return a.SymbolSummary(
        symbol="AAPLUSD", time_ms=time_ms, trades=trades, listing=listing, session=totals, day=totals, turnover=1.0,
        change=change, change_24h=change,
    )  # fmt: skip


def signal(minute: int, action: a.Action = "BUY", rule: str = "candle", source: str = a.TRADES_SOURCE) -> a.Signal:
    return a.Signal(
        symbol="AAPLUSD", source=source, span_ms=MINUTE, start_ms=minute * MINUTE, time_ms=(minute + 1) * MINUTE,
        rule=rule, action=action, strength=1.0, price=190.0, reason="close 191 > open 190", numbers={},
    )  # fmt: skip


def fill(seq: int, symbol: str = "AAPLUSD", account: str = "ann", leaves: int = 2) -> m.OrderFilled:
    return m.OrderFilled(
        source="7", seq=seq, time_ms=seq * 1_000, account=account, order_id=17, symbol=symbol, trade=100 + seq,
        side="buy", price=19_025, quantity=5, leaves=leaves, liquidity="taker",
    )  # fmt: skip


# A price crosses


def test_a_price_that_crosses_upwards_is_told_when_it_does_and_not_while_it_stays_there():
    watched = Watched()
    watched.command(alert(crosses(190.0), channels=["inbox", "email"], email="ann@example.org"))
    assert watched.take(last(189.5, 1)) == [], "the first price only says on which side it is"
    assert watched.take(last(190.25, 2)) == [
        a.Alert(
            account="ann",
            alert="mine",
            event="price AAPLUSD 0 2",
            symbol="AAPLUSD",
            time_ms=0,
            text="AAPLUSD crossed 190 upwards: 190.25, before 189.5",
            channels=["inbox", "email"],
            email="ann@example.org",
        )
    ]
    assert watched.take(last(191.0, 3), last(190.0, 4), last(189.0, 5)) == []
    assert watched.texts(last(190.0, 6)) == ["AAPLUSD crossed 190 upwards: 190, before 189"], "to reach it is enough"


def test_a_price_alert_goes_by_its_direction():
    watched = Watched()
    watched.command(
        alert(crosses(190.0, "up"), "up"),
        alert(crosses(190.0, "down"), "down"),
        alert(crosses(190.0, "either"), "either"),
    )
    assert [told.alert for told in watched.take(last(189.0, 1), last(191.0, 2))] == ["either", "up"]
    assert [told.alert for told in watched.take(last(189.0, 3))] == ["down", "either"]
    assert [told.alert for told in watched.take(last(191.0, 4))] == ["either", "up"]


def test_an_alert_holds_at_once_because_the_price_before_is_known():
    watched = Watched()
    watched.take(last(189.0, 1))
    watched.command(alert(crosses(190.0)))
    assert len(watched.take(last(190.25, 2))) == 1


def test_facts_from_before_an_alert_was_set_do_not_set_it_off_but_are_known():
    watched = Watched()
    watched.take(last(189.0, 1))
    watched.now_ms = 5_000
    watched.command(alert(crosses(190.0), "up"), alert(crosses(191.0), "higher"))
    watched.now_ms = 4_999  # they come late, or again
    assert watched.take(last(190.5, 2)) == []
    watched.now_ms = 6_000
    watched.command(alert(crosses(190.0), "up"))  # again: it counts since it was set first
    watched.now_ms = 5_000
    assert [told.alert for told in watched.take(last(189.5, 3), last(190.5, 4), last(191.5, 5))] == ["up", "higher"]


def test_an_alert_that_is_set_while_its_condition_holds_waits_until_it_has_ceased_to():
    watched = Watched()
    watched.take(last(195.0, 1))
    watched.command(alert(crosses(190.0)))
    assert watched.take(last(196.0, 2), last(189.0, 3)) == []
    assert len(watched.take(last(190.5, 4))) == 1


def test_an_older_and_a_repeated_price_sets_nothing_off():
    watched = Watched()
    watched.command(alert(crosses(190.0, "either")))
    assert watched.take(last(189.0, 5, minute=1)) == []
    assert watched.take(last(191.0, 4, minute=1), last(191.0, 6, minute=0), last(191.0, 5, minute=1, closed=True)) == []
    assert len(watched.take(last(191.0, 6, minute=1))) == 1
    assert watched.take(last(189.0, 5, minute=1), last(191.0, 6, minute=1)) == []


@pytest.mark.parametrize("other", [{"span_ms": 300_000}, {"source": "ibm"}, {"source": a.BOOK_SOURCE}])
def test_only_the_one_minute_series_of_trades_says_what_the_last_price_is(other: dict[str, Any]):
    watched = Watched()
    watched.command(alert(crosses(190.0, "either")))
    assert watched.take(last(189.0, 1), last(191.0, 2, **other), last(189.5, 3)) == []


def test_rounding_errors_keep_no_price_from_reaching_its_level():
    watched = Watched()
    watched.command(alert(crosses(0.3)))
    assert watched.take(last(0.2, 1)) == []
    assert watched.texts(last(0.1 + 0.2, 2)) == ["AAPLUSD crossed 0.3 upwards: 0.3, before 0.2"]


def test_an_alert_without_a_symbol_is_for_every_symbol():
    watched = Watched()
    watched.command(alert(crosses(190.0), "all", symbol=None), alert(crosses(190.0), "other", symbol="IBMUSD"))
    assert [told.alert for told in watched.take(last(189.0, 1), last(191.0, 2))] == ["all"]


def test_random_prices_set_off_what_each_alert_asks_for_by_itself():
    seed = 6
    print(f"seed {seed}")
    chance = random.Random(seed)
    watched = Watched()
    rules = [
        alert(crosses(float(chance.randrange(95, 106)), chance.choice(["up", "down", "either"])), f"a{number}")
        for number in range(40)
    ]
    watched.command(*rules)
    prices = [float(chance.randrange(93, 108)) for _ in range(100)]
    for version, (before, now) in enumerate(pairwise(prices), 2):
        if version == 2:
            watched.take(last(before, 1))
        wanted = set()
        for rule in rules:
            assert isinstance(rule.condition, a.PriceCrosses)
            level, direction = rule.condition.price, rule.condition.direction
            up, down = before < level <= now, before > level >= now
            if (up and direction != "down") or (down and direction != "up"):
                wanted.add(rule.alert)
        assert {told.alert for told in watched.take(last(now, version))} == wanted


# A session's change


def test_a_change_is_told_in_either_direction_and_again_in_the_next_session():
    watched = Watched()
    watched.command(alert(a.ChangeReaches(percent=5.0)))
    assert watched.take(summary(0.01, 1)) == []
    assert watched.texts(summary(-0.052, 2)) == ["AAPLUSD is down 5.20% in this session, the alert is at 5%"]
    assert watched.take(summary(-0.06, 3), summary(0.06, 4)) == []
    assert watched.take(summary(0.0, 5)) == []
    assert watched.texts(summary(1.05 - 1, 6)) == ["AAPLUSD is up 5.00% in this session, the alert is at 5%"]
    assert watched.take(summary(0.07, 7)) == []
    assert [told.event for told in watched.take(summary(0.08, 8, session=8, time_ms=DAY))] == [
        f"change AAPLUSD 8 {DAY}"
    ]


def test_a_summary_that_is_not_newer_sets_nothing_off():
    watched = Watched()
    watched.command(alert(a.ChangeReaches(percent=5.0)))
    assert watched.take(summary(0.01, 9, time_ms=90), summary(0.09, 8, time_ms=99), summary(0.09, 9, time_ms=90)) == []
    assert len(watched.take(summary(0.09, 1, listing=2))) == 1, "a new listing counts its trades anew"


# A volume spikes


def test_a_volume_spike_is_told_from_the_first_candle_after_the_alert_is_set():
    watched = Watched()
    watched.take(*(candle(minute, 100) for minute in range(20)))
    watched.command(alert(a.VolumeSpikes(times=3.0, span_ms=MINUTE)))
    assert watched.take(candle(20, 900, closed=False)) == [], "an open candle may still grow"
    [told] = watched.take(candle(20, 310))
    assert (told.text, told.event, told.time_ms) == (
        "AAPLUSD traded 310 lots in 1m, 3.10 times the 100.0 of the candles before",
        f"candle AAPLUSD {MINUTE} {20 * MINUTE}",
        21 * MINUTE,
    )
    assert watched.take(candle(20, 310), candle(21, 800), candle(22, 100)) == [], "it stays so, and then ceases to"
    assert len(watched.take(candle(23, 800))) == 1


def test_too_few_candles_tell_nothing():
    watched = Watched()
    watched.command(alert(a.VolumeSpikes(times=1.5, span_ms=MINUTE)))
    assert watched.take(*(candle(minute, 10 ** (minute % 5)) for minute in range(20))) == []
    assert len(watched.take(candle(20, 100_000))) == 1


def test_a_late_trade_corrects_the_candle_that_it_belongs_to():
    watched = Watched()
    watched.command(alert(a.VolumeSpikes(times=3.0, span_ms=MINUTE)))
    watched.take(*(candle(minute, 100) for minute in range(21)))
    assert watched.take(candle(19, 1_100, trades=2)) == [], "of what has gone by nothing is told"
    assert watched.take(candle(21, 440)) == [], "the average before it is 150"
    assert watched.take(candle(21, 460, trades=1)) == [], "no newer"
    assert len(watched.take(candle(21, 460, trades=2))) == 1
    assert watched.take(candle(0, 100_000, trades=9)) == []


def test_volumes_of_another_listing_are_not_compared():
    watched = Watched()
    watched.command(alert(a.VolumeSpikes(times=3.0, span_ms=MINUTE)))
    watched.take(*(candle(minute, 100) for minute in range(20)))
    assert watched.take(candle(20, 100_000, listing=2), candle(20, 100_000, trades=9)) == []
    assert watched.take(*(candle(minute, 100_000, listing=2) for minute in range(21, 40))) == []
    assert len(watched.take(candle(40, 400_000, listing=2))) == 1


# An indicator reaches


def test_an_indicator_is_told_when_it_gets_beyond_its_bound():
    watched = Watched()
    watched.command(
        alert(a.IndicatorReaches(name="rsi(14)", direction="below", value=30.0, span_ms=MINUTE), "low"),
        alert(a.IndicatorReaches(name="rsi(14)", direction="above", value=70.0, span_ms=MINUTE), "high"),
    )
    assert watched.take(closed(0), closed(1, rsi_14=45.0), closed(2, rsi_14=30.0)) == []
    [told] = watched.take(closed(3, rsi_14=27.9))
    assert (told.alert, told.text, told.time_ms) == ("low", "AAPLUSD rsi(14) got below 30: 27.9 (1m)", 4 * MINUTE)
    assert told.event == f"indicator AAPLUSD @trades {MINUTE} {3 * MINUTE} rsi(14)"
    assert watched.take(closed(4, rsi_14=20.0), closed(5, rsi_14=30.0)) == []
    assert watched.texts(closed(6, rsi_14=71.5)) == ["AAPLUSD rsi(14) got above 70: 71.5 (1m)"]
    assert len(watched.take(closed(7, rsi_14=29.0))) == 1


def test_open_bars_and_other_series_set_no_indicator_alert_off():
    watched = Watched()
    watched.command(alert(a.IndicatorReaches(name="rsi(14)", direction="below", value=30.0, span_ms=MINUTE)))
    watched.take(closed(1, rsi_14=45.0))
    assert watched.take(last(190.0, 9, minute=2, values={"rsi(14)": 1.0}), closed(2, source="ibm", rsi_14=1.0)) == []
    assert watched.take(closed(3, source="ibm", rsi_14=45.0), closed(4, source="ibm", rsi_14=1.0)) == []


def test_an_indicator_of_bars_from_outside_can_be_watched():
    watched = Watched()
    condition = a.IndicatorReaches(name="rsi(14)", direction="above", value=70.0, span_ms=MINUTE, source="ibm")
    watched.command(alert(condition))
    assert watched.texts(closed(1, source="ibm", rsi_14=45.0), closed(2, source="ibm", rsi_14=75.0)) == [
        "AAPLUSD rsi(14) got above 70: 75 (1m of ibm)"
    ]


def test_a_corrected_bar_sets_off_once_what_it_has_become():
    watched = Watched()
    watched.command(alert(a.IndicatorReaches(name="rsi(14)", direction="below", value=30.0, span_ms=MINUTE)))
    assert watched.take(closed(1, 10, rsi_14=45.0), closed(2, 20, rsi_14=31.0)) == []
    assert len(watched.take(closed(2, 21, rsi_14=29.0))) == 1
    assert watched.take(closed(2, 21, rsi_14=29.0), closed(2, 20, rsi_14=31.0), closed(1, 11, rsi_14=99.0)) == []
    assert watched.take(closed(3, 30, rsi_14=28.0)) == []


# Events


def test_a_signal_is_told_once_to_those_who_asked_for_it():
    watched = Watched()
    watched.command(
        alert(a.SignalAppears(rule="candle"), "any"),
        alert(a.SignalAppears(rule="candle", action="SELL"), "sell"),
        alert(a.SignalAppears(rule="candle", action="HOLD"), "hold", symbol=None),
        alert(a.SignalAppears(rule="vote"), "vote"),
    )
    [told] = watched.take(signal(3), signal(3), signal(2))
    assert told == a.Alert(
        account="ann",
        alert="any",
        event=f"signal AAPLUSD @trades {MINUTE} {3 * MINUTE} candle",
        symbol="AAPLUSD",
        time_ms=4 * MINUTE,
        text="AAPLUSD candle says BUY (1m): close 191 > open 190",
        channels=["inbox"],
    )
    assert [told.alert for told in watched.take(signal(4, "SELL"), signal(5, "HOLD"))] == ["any", "sell", "hold"]
    assert [told.alert for told in watched.take(signal(4, source="ibm"))] == ["any"]


def test_an_outcome_of_a_signal_sets_nothing_off():
    watched = Watched()
    outcome = a.SignalOutcome(
        symbol="AAPLUSD", source="@trades", span_ms=MINUTE, start_ms=0, rule="candle", action="BUY", horizon=1, time_ms=9,
        entry=1.0, price=1.0, gain=0.0,
    )  # fmt: skip
    assert watched.take(outcome) == []


def test_each_fill_of_the_accounts_own_is_told_once():
    watched = Watched("7")
    watched.command(
        alert(a.OrderFills(), "apple"),
        alert(a.OrderFills(), "all", symbol=None),
        alert(a.OrderFills(), "ibm", symbol="IBMUSD"),
        alert(a.OrderFills(), "bob", account="bob", symbol=None),
    )
    told = watched.take(fill(1), fill(1))
    assert [(one.account, one.alert, one.event) for one in told] == [
        ("ann", "all", "filled AAPLUSD 101 17"),
        ("ann", "apple", "filled AAPLUSD 101 17"),
    ]
    assert {one.text for one in told} == {"Your order 17 bought 5 lots of AAPLUSD at 19,025 ticks; 2 lots are left"}
    assert watched.take(fill(3)) == [], "one is missing, and will be sent again"
    assert watched.texts(fill(2, account="bob", leaves=0)) == [
        "Your order 17 bought 5 lots of AAPLUSD at 19,025 ticks; it is complete"
    ]
    assert [one.alert for one in watched.take(fill(3, symbol="IBMUSD"))] == ["all", "ibm"]


def test_reports_that_are_no_fills_are_counted_with_them():
    watched = Watched("7")
    watched.command(alert(a.OrderFills()))
    done = m.RequestDone(source="7", seq=1, time_ms=1, account="ann", request_id="r")
    assert watched.take(done) == []
    assert len(watched.take(fill(2))) == 1


# Cool-down


def test_an_alert_cools_down_in_event_time():
    watched = Watched()
    watched.command(alert(crosses(190.0), cool_down_ms=10 * MINUTE))
    told = watched.take(
        last(189.0, 1), last(191.0, 2), last(189.0, 3, 5), last(191.0, 4, 9), last(189.0, 5, 10), last(191.0, 6, 10)
    )
    assert [(one.event, one.time_ms) for one in told] == [
        ("price AAPLUSD 0 2", 0),
        (f"price AAPLUSD {10 * MINUTE} 6", 10 * MINUTE),
    ]


def test_events_cool_down_too():
    watched = Watched("7")
    watched.command(alert(a.OrderFills(), cool_down_ms=2_000))
    assert [one.event for one in watched.take(*map(fill, range(1, 6)))] == [
        f"filled AAPLUSD {trade} 17" for trade in (101, 103, 105)
    ]


def test_an_alert_that_is_replaced_by_another_of_its_name_starts_cool():
    watched = Watched()
    watched.command(alert(crosses(190.0), cool_down_ms=10 * MINUTE))
    assert len(watched.take(last(189.0, 1), last(191.0, 2))) == 1
    watched.command(alert(crosses(190.0), cool_down_ms=10 * MINUTE))
    assert watched.take(last(189.0, 3), last(191.0, 4)) == [], "the same alert again changes nothing"
    watched.command(alert(crosses(190.5), cool_down_ms=10 * MINUTE))
    assert len(watched.take(last(189.0, 5), last(191.0, 6))) == 1


def test_the_cool_down_of_an_alert_that_is_gone_is_dropped():
    watched = Watched()
    watched.command(
        alert(crosses(190.0), "one", cool_down_ms=MINUTE), alert(crosses(190.0), "two", cool_down_ms=MINUTE)
    )
    watched.take(last(189.0, 1), last(191.0, 2))
    assert sorted(name for name in watched.stored if "told" in name) == ['["told","ann","one"]', '["told","ann","two"]']
    watched.command(a.RemoveAlert(account="ann", alert="one"), a.RemoveAlert(account="ann", alert="nobody"))
    watched.take(last(191.5, 3))
    assert [name for name in watched.stored if "told" in name] == ['["told","ann","two"]']


# The rules of an account


def test_an_alert_that_is_removed_or_replaced_no_longer_tells():
    watched = Watched()
    watched.command(alert(crosses(190.0, "either")), alert(crosses(191.0, "either"), "other"))
    watched.command(alert(crosses(200.0)), a.RemoveAlert(account="ann", alert="other"))
    assert watched.take(last(189.0, 1), last(195.0, 2)) == []
    assert len(watched.take(last(200.0, 3))) == 1
    watched.command(a.RemoveAlert(account="ann", alert="mine"))
    assert (len(watched.watchlist), watched.watchlist._levels, watched.rules) == (0, {}, {"ann": {}})


def test_the_same_command_again_changes_nothing():
    rules = AccountRules("ann", Watchlist())
    rules.apply(alert(crosses(190.0)), 0)
    assert list(rules.changes()) == ["rules"]
    rules.apply(alert(crosses(190.0)), 0)
    rules.apply(a.RemoveAlert(account="ann", alert="unknown"), 0)
    assert rules.changes() == {}


def test_an_account_can_have_so_many_alerts_and_no_more():
    watchlist = Watchlist()
    rules = AccountRules("ann", watchlist)
    for number in range(RULES_MAX):
        rules.apply(alert(crosses(190.0), f"a{number}"), 0)
    with pytest.raises(InvalidPacket, match="ann has 1000 alerts"):
        rules.apply(alert(crosses(190.0), "one-more"), 0)
    rules.apply(alert(crosses(191.0), "a0"), 0)
    rules.apply(a.RemoveAlert(account="ann", alert="a1"), 0)
    rules.apply(alert(crosses(190.0), "one-more"), 0)
    assert len(watchlist) == RULES_MAX


def test_an_account_whose_alerts_are_let_go_leaves_nothing_behind():
    watchlist = Watchlist()
    rules = AccountRules("ann", watchlist)
    rules.apply(alert(crosses(190.0, "either")), 0)
    rules.apply(alert(a.OrderFills(), "fills"), 0)
    restored = dict(rules.changes())
    rules.discard()
    assert (len(watchlist), watchlist._levels) == (0, {})
    assert len(restored) == 1


def test_commands_of_a_packet_that_broke_an_invariant_are_left_out_and_the_next_ones_count():
    watchlist = Watchlist()
    rules = AccountRules("ann", watchlist)
    rules.halted = True
    assert (rules.apply(alert(crosses(190.0)), 0), rules.changes(), len(watchlist)) == ([], {}, 0)
    rules.apply(alert(crosses(190.0)), 0)
    assert (list(rules.changes()), len(watchlist)) == (["rules"], 1)


def test_a_key_says_whose_messages_it_takes():
    shard, symbol = AlertWatch("7", Watchlist()), AlertWatch("AAPLUSD", Watchlist())
    assert [shard.accepts(fill(1)), shard.accepts(signal(1))] == [True, False]
    assert [symbol.accepts(fill(1)), symbol.accepts(signal(1)), symbol.accepts(summary(0.0, 1))] == [False, True, True]


def test_a_packet_that_broke_an_invariant_is_left_out_and_the_next_one_counts():
    watchlist = Watchlist()
    AccountRules("ann", watchlist).apply(alert(crosses(190.0)), 0)
    watch = AlertWatch("AAPLUSD", watchlist)
    watch.apply(last(189.0, 1), 0)
    watch.changes()
    watch.halted = True
    assert (watch.apply(last(191.0, 2), 0), watch.changes()) == ([], {})
    assert [told.text for told in watch.apply(last(192.0, 3), 0)] == ["AAPLUSD crossed 190 upwards: 192, before 189"]
