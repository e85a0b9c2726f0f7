"""Calls that are made for many who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.gathering import Closed, Gathering
from tests.gateway.adapters import played


class Server:
    """Doubles numbers, when it is let; 13 it cannot bear."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.open = asyncio.Event()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        await self.open.wait()
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]


async def _asked(gathering: Gathering[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(gathering.ask(number)) for number in numbers]
    await asyncio.sleep(0)
    return tasks


@played
async def test_what_is_asked_while_a_call_is_under_way_goes_with_the_next() -> None:
    server = Server()
    gathering: Gathering[int, int] = Gathering(server, call_max=3)
    tasks = await _asked(gathering, 1)
    await asyncio.sleep(0)
    tasks += await _asked(gathering, 2, 3, 4, 5)
    assert len(gathering) == 4
    server.open.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
    assert server.calls == [[1], [2, 3, 4], [5]]
    assert await gathering.ask(6) == 12, "a quiet one calls at once"


@played
async def test_a_call_that_fails_is_told_to_all_it_was_made_for_and_to_nobody_else() -> None:
    server = Server()
    gathering: Gathering[int, int] = Gathering(server, call_max=2)
    tasks = await _asked(gathering, 13, 1, 2)
    server.open.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in told[:2]] == ["13", "13"]
    assert told[0] is not told[1], "each has an error of its own to raise"
    assert told[2] == 4


@played
async def test_who_goes_leaves_the_others_their_answers() -> None:
    server = Server()
    gathering: Gathering[int, int] = Gathering(server)
    tasks = await _asked(gathering, 1, 2)
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    server.open.set()
    assert await tasks[1] == 4
    assert tasks[0].cancelled()


@played
async def test_at_the_end_all_who_wait_are_told() -> None:
    server = Server()
    gathering: Gathering[int, int] = Gathering(server, call_max=1)
    tasks = await _asked(gathering, 1, 2)
    await asyncio.sleep(0)
    assert (server.calls, len(gathering)) == ([[1]], 1)
    await gathering.close()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in told] == [Closed, Closed]
