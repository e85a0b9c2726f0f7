"""Clients that do not read: they are closed with a reason, cost a bounded number of messages, and hold nobody up."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import Any

import msgspec
import pytest
from litestar.exceptions import WebSocketDisconnect

from gateway.binance.streams.feed import Telling
from gateway.sim.faults import Faults
from gateway.sim.network import Network
from gateway.websockets.closing import POLICY, TRY_LATER
from gateway.websockets.outbox import MESSAGES_MAX, Message, Outbox
from openbell.supervise.processes import wait_until
from tests.binance.stream_clients import DEADLINE_S, ask, gateway, receive
from tests.gateway.adapters import Floor, until
from tests.gateway.test_live import handshake


class Peer:
    """A line to a peer that reads while a test lets it."""

    messages_max = MESSAGES_MAX

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.gone = False
        self.got: list[Any] = []

    def write(self, message: Message) -> bool:
        if not self.reads.is_set() or self.gone:
            return False
        self.got.append(msgspec.json.decode(message.payload))
        return True

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        if not self.write(message):
            raise WebSocketDisconnect(detail="gone")


def message(number: int) -> Message:
    return Message(msgspec.json.encode(number))


def played(scenario: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scenario(Peer())

    asyncio.run(bounded())


def test_what_waits_is_sent_in_order_and_of_states_only_the_newest() -> None:
    async def scenario(peer: Peer) -> None:
        outbox = Outbox(peer, 5.0)
        outbox.offer(message(1))
        assert peer.got == [1]
        peer.reads.clear()
        for number in range(2, 6):
            outbox.offer(message(number))
            outbox.offer(message(100 + number), "state")
        peer.reads.set()
        outbox.offer(message(6))
        await until(lambda: len(peer.got) == 7)
        assert peer.got == [1, 2, 105, 3, 4, 5, 6]
        outbox.offer(message(7))
        assert peer.got[-1] == 7
        assert not outbox.ended.done()

    played(scenario)


@pytest.mark.parametrize("bounds", [{"messages_max": 10}, {"bytes_max": 10}])
def test_one_message_too_many_ends_the_connection_with_a_reason_and_nothing_is_sent_after_it(
    bounds: dict[str, int],
) -> None:
    async def scenario(peer: Peer) -> None:
        slow: list[bool] = []
        outbox = Outbox(peer, 5.0, slow=lambda: slow.append(True), **bounds)
        peer.reads.clear()
        for number in range(10):
            outbox.offer(message(number))
        assert not outbox.ended.done()
        await asyncio.sleep(0)  # the first one is on its way
        for number in range(2):
            outbox.offer(message(number))
        code, reason = await outbox.ended
        assert (code, "too slow" in reason, slow) == (POLICY, True, [True])
        peer.reads.set()
        outbox.offer(message(99))
        outbox.close()
        await asyncio.sleep(0)
        assert len(peer.got) <= 1

    played(scenario)


def test_states_never_end_a_connection_however_many_come() -> None:
    async def scenario(peer: Peer) -> None:
        outbox = Outbox(peer, 5.0, messages_max=2, bytes_max=100)
        peer.reads.clear()
        for number in range(10_000):
            outbox.offer(message(number), "state")
        assert not outbox.ended.done()
        peer.reads.set()
        await until(lambda: bool(peer.got) and peer.got[-1] == 9_999)
        assert len(peer.got) <= 2

    played(scenario)


def test_a_peer_that_takes_nothing_for_long_or_is_gone_ends_the_connection() -> None:
    async def scenario(peer: Peer) -> None:
        told: list[str] = []
        slow = Outbox(peer, 0.01, slow=lambda: told.append("slow"))
        peer.reads.clear()
        slow.offer(message(1))
        code, reason = await slow.ended
        assert (code, "nothing was read for 0.01 s" in reason) == (TRY_LATER, True)
        peer.reads.set()
        peer.gone = True
        gone = Outbox(peer, 5.0, slow=lambda: told.append("gone"))
        gone.offer(message(1))
        assert (await gone.ended)[0] == TRY_LATER
        assert told == ["slow"]

    played(scenario)


def test_a_connection_that_is_done_with_is_sent_nothing_more() -> None:
    async def scenario(peer: Peer) -> None:
        outbox = Outbox(peer, 5.0)
        outbox.close()
        outbox.offer(message(1))
        assert outbox.ended.done()
        assert peer.got == []

    played(scenario)


def test_who_reads_over_the_simulators_network_gets_all_that_is_told_at_once(redis_url: str, venue: str) -> None:
    floor, trades = Floor(redis_url, venue), 900

    async def scenario() -> None:
        async with asyncio.timeout(DEADLINE_S), served.connect("/ws/aaplusd@trade") as live:
            await ask(live, "LIST_SUBSCRIPTIONS")
            with floor.lock:
                for _ in range(trades):
                    floor.projected.order("maker", "sell", 10_000, 1)
                floor.projected.order("maker", "buy", 10_000, trades)
                floor.projected.project(publish=True)
            assert [(await receive(live))["t"] for _ in range(trades)] == list(range(1, trades + 1))

    with gateway(floor, over=lambda app: Network(app, Faults())) as served:
        asyncio.run(scenario())


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_frames_say_their_length_as_the_protocol_wants_it(length: int) -> None:
    frame = Message(b"x" * length).frame
    assert frame[0] == 0x81
    size, head = frame[1], 2
    if size == 126:
        (size,), head = struct.unpack("!H", frame[2:4]), 4
        assert size > 125
    elif size == 127:
        (size,), head = struct.unpack("!Q", frame[2:10]), 10
        assert size > 65_535
    assert (size, len(frame) - head) == (length, length)


def test_a_telling_is_encoded_once_for_all_who_get_it_in_one_form() -> None:
    class Listener:
        def __init__(self, *, combined: bool) -> None:
            self.combined = combined
            self.got: list[Message] = []

        def offer(self, message: Message, key: str = "") -> None:
            assert key == "s@depth5 top"
            self.got.append(message)

        def end(self, code: int, reason: str) -> None:
            raise AssertionError((code, reason))

    telling = Telling("s@depth5", "top", {"a": 1})
    listeners = [Listener(combined=combined) for combined in (False, True, False, True)]
    for listener in listeners:
        telling.to(listener)
    first, second, third, fourth = (listener.got[0] for listener in listeners)
    assert (first is third, second is fourth) == (True, True)
    assert (first.payload, second.payload) == (b'{"a":1}', b'{"stream":"s@depth5","data":{"a":1}}')


@pytest.mark.slow
def test_a_client_that_never_reads_is_closed_while_another_gets_every_trade(redis_url: str, venue: str) -> None:
    floor, trades = Floor(redis_url, venue), 24_000
    got: list[int] = []

    def read(good: socket.socket) -> None:
        left = b""
        while data := good.recv(262_144):
            left += data
            while len(left) > 4 and (size := struct.unpack("!H", left[2:4])[0] + 4) <= len(left):
                assert left[1] == 126
                got.append(msgspec.json.decode(left[4:size])["data"]["t"])
                left = left[size:]

    with gateway(floor, send_s=60.0) as served:
        path = "/stream?streams=aaplusd@trade"
        stuck, good = handshake(served.port, path), handshake(served.port, path)
        good.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_048_576)
        skip_head(good)
        reading = threading.Thread(target=read, args=(good,))
        reading.start()
        assert wait_until(lambda: served.listeners("aaplusd@trade") == 2 and served.ready("aaplusd@trade"), DEADLINE_S)
        closed_at = 0
        for number in range(trades // 400):
            with floor.lock:
                for _ in range(400):
                    floor.projected.order("maker", "sell", 10_000, 1)
                floor.projected.order("maker", "buy", 10_000, 400)
                floor.projected.project(publish=True)
            told = (number + 1) * 400
            assert wait_until(lambda told=told: len(got) >= told, DEADLINE_S)  # type: ignore[misc]
            if served.listeners("aaplusd@trade") == 1:
                closed_at = told
                break
        assert closed_at, "who never reads was never closed"
        assert got == list(range(1, closed_at + 1))
        last = b"".join(iter(lambda: stuck.recv(262_144), b""))
        assert b"too slow" in last[-200:]
        assert served.figure("openbell_slow_clients_total") == 1
        stuck.close()
    reading.join(DEADLINE_S)
    assert not reading.is_alive()
    good.close()


def skip_head(client: socket.socket) -> None:
    """Read the rest of the handshake's answer."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
