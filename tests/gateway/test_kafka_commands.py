"""What becomes of a command when there is no broker, one that says nothing, and a real one that comes, goes and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis_server
from venue import Venue

from exchange import topics
from exchange.errors import InvalidPacket
from exchange.messages import OpenAccount, shard_of
from exchange.packets import decode_account_inbox
from gateway.kafka_commands import KafkaCommands
from gateway.ports import NotTaken, UnknownOutcome
from openbell.stack import Stack
from tests.gateway.adapters import until
from wire.reader import Reader

SHARDS = 16
DEADLINE_S = 60
OPEN = OpenAccount(account="ann", request_id="r", created_ms=1)


def with_commands(servers: str, scenario: Callable[[KafkaCommands], Awaitable[Any]], venue: str = "replay") -> Any:
    async def played() -> Any:
        async with asyncio.timeout(DEADLINE_S), KafkaCommands(servers, venue, SHARDS) as commands:
            return await scenario(commands)

    return asyncio.run(played())


def test_without_a_broker_nothing_is_taken_and_nobody_waits() -> None:
    async def scenario(commands: KafkaCommands) -> float:
        begun = asyncio.get_running_loop().time()
        for _ in range(100):
            with pytest.raises(NotTaken):
                await commands.write(OPEN)
        assert not commands.available()
        return asyncio.get_running_loop().time() - begun

    assert with_commands(f"127.0.0.1:{redis_server.free_port()}", scenario) < 5


def test_a_server_that_takes_connections_and_says_nothing_does_not_block_the_event_loop() -> None:
    async def scenario(commands: KafkaCommands) -> int:
        turns = 0
        await until(lambda: commands._reachable)
        for _ in range(200):
            await asyncio.sleep(0.001)
            turns += 1
            with pytest.raises(NotTaken):
                await commands.write(OPEN)
        return turns

    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert with_commands(f"127.0.0.1:{silent.getsockname()[1]}", scenario) == 200


@pytest.mark.stack
@pytest.mark.slow
def test_commands_reach_a_real_broker_and_a_frozen_one_is_told_apart(bare_stack: Stack) -> None:
    stack = bare_stack
    servers, name = stack.bootstrap_servers, "commanded"
    Venue(stack, name, "live")

    async def scenario(commands: KafkaCommands) -> None:
        await until(commands.available)
        await asyncio.gather(
            *(commands.write(OpenAccount(account=f"a{n}", request_id="r", created_ms=1)) for n in range(200))
        )
        bad, good = (OpenAccount(account=name, request_id="r", created_ms=1) for name in ("", "good"))
        told = await asyncio.gather(commands.write(bad), commands.write(good), return_exceptions=True)
        assert [type(each) for each in told] == [InvalidPacket, type(None)]
        broker = stack.pid("kafka")
        os.kill(broker, signal.SIGSTOP)
        try:
            late = asyncio.create_task(commands.write(OpenAccount(account="late", request_id="r", created_ms=1)))
            await until(lambda: commands._since is not None)
            behind = asyncio.create_task(commands.write(OpenAccount(account="behind", request_id="r", created_ms=1)))
            await until(lambda: not commands.available())
            with pytest.raises(NotTaken):
                await commands.write(OPEN)
            with pytest.raises(UnknownOutcome):
                await late
            with pytest.raises(NotTaken):  # it was never sent
                await behind
        finally:
            os.kill(broker, signal.SIGCONT)
        await until(commands.available)
        await commands.write(OPEN)

    with_commands(servers, scenario, name)
    with Reader(servers, name, [topics.ACCOUNT_INBOX]) as reader:
        records = list(reader.to_end())
    written = [(record.key, message) for record in records for message in decode_account_inbox(record.value)]
    accounts = [message.account for _, message in written]
    assert sorted(set(accounts) - {"late"}) == sorted([*(f"a{n}" for n in range(200)), "ann", "good"])
    crowded = [record for record in records if b'"account":"a1' in record.value]
    assert len(crowded) <= 2 * SHARDS, "what is asked at once goes in few records"
    assert all(key == shard_of(message.account, SHARDS) for key, message in written)
