"""Makes the attempts to deliver: who comes when, what follows from an attempt, and when one is given up.

Theory of operation: each receiver (channel, account and address, of e-mails also the alert) has a lane, in which deliveries go one after the
other; whoever is slow or away holds up nobody but himself. After an e-mail its lane rests for a while; what comes meanwhile goes as one e-mail.
When one went out last is known to this notifier only: whoever takes over does not wait. An attempt takes one of its channel's places and one of its account's, so that neither
all the webhooks nor one account's can take all there is; a lane that pauses between attempts takes none. A lane that is full, or too much
altogether: what comes then is given up at once. What is given up becomes a dead letter. Any error that is not a receiver's ends
all lanes with their task group; whoever takes over goes on from the outbox. A lane that is cancelled may not notice, when a library takes
the cancellation for the end of what it waited for; so it looks after each step whether all is `ending`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

import msgspec
import redis

from exchange.analysis import Channel
from gateway.notify.deliveries import AGE_MAX_MS, PAUSES_MS, REASON_MAX, Delivery, letter_of
from gateway.notify.outbox import Displaced, Outbox
from gateway.notify.ports import Attempt, Clock, Letters, Sender

STOP_S: Final = 12.0
"""How long attempts that are being made may take to end when the notifier stops."""
UNKNOWN: Final = "the notifier stopped while it was sent, so it may or may not have been taken"

_LOG = logging.getLogger("openbell.notifier")
_Lane: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Bounds:
    """How much may be on its way at once: waiting for one receiver, waiting altogether, and attempts by channel and by account.

    `email_pause_ms`: least time between two e-mails of one alert to one address; 0: none, and each alert has an e-mail of its own.
    """

    queue_max: int = 100
    pending_max: int = 10_000
    concurrent_max: Mapping[Channel, int] = field(default_factory=lambda: {"email": 4, "webhook": 32})
    account_concurrent_max: int = 4
    email_pause_ms: int = 60_000


class Dispatcher:
    """Delivers what it is given, in tasks of `group`. `replay`: the alerts' own times are past and say nothing of their age."""

    def __init__(
        self,
        outbox: Outbox,
        senders: Mapping[Channel, Sender],
        letters: Letters,
        clock: Clock,
        group: asyncio.TaskGroup,
        *,
        replay: bool,
        bounds: Bounds,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """How many were `delivered` and `given-up`."""
        self.ending = False
        """Whether no further step is to be made."""
        self._outbox = outbox
        self._senders = senders
        self._letters = letters
        self._clock = clock
        self._group = group
        self._replay = replay
        self._bounds = bounds
        self._lanes: dict[_Lane, deque[Delivery]] = {}
        self._tasks: dict[_Lane, asyncio.Task[None]] = {}
        self._busy: set[_Lane] = set()
        self._resting: dict[_Lane, int] = {}
        """Until when, in milliseconds since the epoch, a lane sends no further e-mail."""
        self._pending = 0
        self._places = {channel: asyncio.Semaphore(number) for channel, number in bounds.concurrent_max.items()}
        self._accounts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def add(self, deliveries: Iterable[Delivery]) -> None:
        """Take deliveries over. Raises what the outbox and the dead letters' writer raise."""
        for delivery in deliveries:
            if self.ending:
                return
            lane = _lane(delivery)
            queue = self._lanes.get(lane, ())
            if self._pending >= self._bounds.pending_max:
                await self._bury(await self._give_up(delivery, f"{self._bounds.pending_max} other deliveries wait"))
            elif len(queue) >= self._bounds.queue_max:
                reason = f"{self._bounds.queue_max} others wait for the same receiver"
                await self._bury(await self._give_up(delivery, reason))
            else:
                self._pending += 1
                self._lanes.setdefault(lane, deque()).append(delivery)
                if lane not in self._tasks:
                    self._tasks[lane] = self._group.create_task(self._run(lane))

    async def stop(self) -> None:
        """Begin no more attempts, and return when those that are being made have ended, or have been given `STOP_S`."""
        self.ending = True
        for lane, task in self._tasks.items():
            if lane not in self._busy:
                task.cancel()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_S)
            for task in late:
                task.cancel()

    async def _run(self, lane: _Lane) -> None:
        """Deliver what is in a lane, until it is empty."""
        queue = self._lanes[lane]
        while queue and not self.ending:
            try:
                done, left = await self._step(lane, queue)
            except Exception:
                self.ending = True
                raise
            for _ in range(done):
                queue.popleft()
            queue.extendleft(reversed(left))
            self._pending += len(left) - done
        if not queue:
            del self._lanes[lane], self._tasks[lane]

    async def _step(self, lane: _Lane, queue: Sequence[Delivery]) -> tuple[int, list[Delivery]]:
        """Do what comes next in a lane, and return how many of its first deliveries that was about, and what is left of these."""
        delivery = queue[0]
        if delivery.state == "dead":
            await self._bury(delivery)
            return 1, []
        if delivery.state == "begun":  # by a notifier that is no more
            if delivery.channel == "email":
                return 1, [await self._give_up(delivery, UNKNOWN)]
            return 1, [await self._move(delivery, state="waiting")]
        await self._clock.wait_until(max(delivery.due_ms, self._resting.get(lane, 0)))
        account = self._accounts.setdefault(
            delivery.alert.account, asyncio.Semaphore(self._bounds.account_concurrent_max)
        )
        async with account, self._places[delivery.channel]:
            age_ms = delivery.age_ms(self._clock.now_ms(), replay=self._replay)
            if age_ms > AGE_MAX_MS:
                reason = f"; {delivery.reason}" if delivery.reason else ""
                return 1, [await self._give_up(delivery, f"the alert is {age_ms // 1000} s old{reason}")]
            together = self._together(queue)
            self._busy.add(lane)
            try:
                return len(together), await self._attempt(lane, together)
            finally:
                self._busy.discard(lane)

    def _together(self, queue: Sequence[Delivery]) -> list[Delivery]:
        """Return the deliveries that go with the first one: of e-mails, which come at most so often, all that wait behind it."""
        if queue[0].channel != "email" or not self._bounds.email_pause_ms:
            return [queue[0]]
        return list(takewhile(lambda each: each.state == "waiting", queue))

    async def _attempt(self, lane: _Lane, together: list[Delivery]) -> list[Delivery]:
        """Make an attempt to deliver one or more at once, and return what is left to do."""
        first = together[0]
        current = list(together)

        async def begin() -> None:
            for number, each in enumerate(together):
                current[number] = await self._move(each, state="begun")

        sender = self._senders.get(first.channel)
        if sender is None:
            return [await self._give_up(each, f"this venue sends no {first.channel}") for each in together]
        try:
            attempt = await sender.send(first, begin, together[1:])
        except (Displaced, redis.RedisError):
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, the other deliveries must go on)
            _LOG.exception("an attempt to deliver failed")
            attempt = Attempt("given-up", f"the notifier failed: {error!r}")
        if attempt.outcome == "delivered" and first.channel == "email":
            self._rest(lane)
        after = [await self._after(each, attempt) for each in current]
        return [each for each in after if each is not None]

    async def _after(self, delivery: Delivery, attempt: Attempt) -> Delivery | None:
        """Return what an attempt leaves to do of a delivery."""
        if attempt.outcome == "delivered":
            await self._outbox.change(delivery, None)
            self.counts["delivered"] += 1
            return None
        if attempt.outcome == "given-up":
            return await self._give_up(delivery, attempt.reason)
        if delivery.attempts >= len(PAUSES_MS):
            return await self._give_up(delivery, f"{delivery.attempts + 1} attempts failed; {attempt.reason}")
        due_ms = self._clock.now_ms() + PAUSES_MS[delivery.attempts]
        attempts, reason = delivery.attempts + 1, attempt.reason[:REASON_MAX]
        return await self._move(delivery, state="waiting", attempts=attempts, due_ms=due_ms, reason=reason)

    def _rest(self, lane: _Lane) -> None:
        """Let a lane send no further e-mail for a while."""
        now_ms = self._clock.now_ms()
        self._resting = {each: until_ms for each, until_ms in self._resting.items() if until_ms > now_ms}
        self._resting[lane] = now_ms + self._bounds.email_pause_ms

    async def _give_up(self, delivery: Delivery, reason: str) -> Delivery:
        return await self._move(delivery, state="dead", reason=reason[:REASON_MAX])

    async def _bury(self, delivery: Delivery) -> None:
        """Write the dead letter."""
        await self._letters.write(letter_of(delivery))
        await self._outbox.change(delivery, None)
        self.counts["given-up"] += 1
        _LOG.info("gave up %s %s: %s", delivery.channel, delivery.event, delivery.reason)

    async def _move(self, delivery: Delivery, **fields: Any) -> Delivery:
        """Change a delivery, in the outbox first."""
        after = msgspec.structs.replace(delivery, step=delivery.step + 1, **fields)
        await self._outbox.change(delivery, after)
        return after


def _lane(delivery: Delivery) -> _Lane:
    """Return what a delivery has to wait behind."""
    receiver = (delivery.channel, delivery.alert.account, delivery.target)
    return (*receiver, delivery.alert.alert) if delivery.channel == "email" else receiver
