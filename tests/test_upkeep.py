"""Jobs of the calendar: what has had its time goes, and nothing else."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from errors import Resync
from jobs import upkeep
from models.base import Model
from models.database import Database
from models.idempotency import IdempotencyKey
from models.identity import Role, Session, SignInFailure
from models.keys import Key
from models.limits import LimitCounter
from models.notifications import Channel, OutboxMessage
from models.scheduling import Hold, Reservation
from resolvers import holds
from resolvers.context import Context, Viewer
from resolvers.operations import perform
from settings import Settings
from subscriptions.log import horizon, read
from tests.people import nobody
from tests.sql import sql
from tests.test_event_log import age, read_all, ring, say
from tests.worlds import make_person, make_spa, soon


@pytest.fixture
def ctx(database: Database, settings: Settings) -> Context:
    return nobody(database, settings)


async def count(database: Database, table: type[Model]) -> int:
    async with database.sessions() as db:
        return (await db.scalars(select(func.count()).select_from(table))).one()


async def test_an_expired_hold_gives_its_time_back_and_its_holder_is_told(ctx: Context, database: Database) -> None:
    spa, ann = await make_spa(database), await make_person(database)
    mine = dataclasses.replace(ctx, viewer=Viewer(ann.id, frozenset({Role.CUSTOMER})))
    place: dict[str, Any] = {"service_id": Key(number=spa.service.id), "room_id": Key(number=spa.rooms[0].id)}
    expiring = await perform(holds.hold_slot, mine, {**place, "starts_at": soon(hour=10)})
    released = await perform(holds.hold_slot, mine, {**place, "starts_at": soon(hour=12)})
    await perform(holds.release_hold, mine, {"id": Key(number=released.id)})
    async with database.sessions.begin() as db:
        await db.execute(text("UPDATE holds SET expires_at = now() - interval '1 minute'"))
    kept = await perform(holds.hold_slot, mine, {**place, "starts_at": soon(hour=14)})
    start = await horizon(database)

    await upkeep.release_expired_holds(ctx)

    told = (await read(database, start)).records
    assert [(record.kind, record.subject_id) for record in told] == [("hold.released", expiring.id)]
    assert f"user:{ann.id}" in told[0].topics
    async with database.sessions() as db:
        assert list(await db.scalars(select(Hold.id))) == [kept.id]
        assert set(await db.scalars(select(Reservation.hold_id))) == {kept.id}
    await upkeep.release_expired_holds(ctx)
    assert (await read(database, told[0].cursor)).records == []


async def test_idempotency_keys_are_kept_for_a_day(ctx: Context, database: Database) -> None:
    async with database.sessions.begin() as db:
        for hours in (1, 23, 25, 100):
            made = datetime.now(UTC) - timedelta(hours=hours)
            db.add(IdempotencyKey(scope="user:1", key=str(hours), operation="x", body_hash="", answer="", created_at=made))
    await upkeep.forget_idempotency_keys(ctx)
    async with database.sessions() as db:
        assert set(await db.scalars(select(IdempotencyKey.key))) == {"1", "23"}


async def test_more_than_a_batch_goes_in_one_run(ctx: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "BATCH", 10)
    async with database.sessions.begin() as db:
        for number in range(35):
            minutes = timedelta(minutes=number - 30)
            db.add(LimitCounter(key=str(number), hits=1, expires_at=datetime.now(UTC) + minutes + timedelta(seconds=30)))
    await upkeep.forget_limit_counters(ctx)
    assert await count(database, LimitCounter) == 5


async def test_events_are_kept_for_the_days_that_are_promised(ctx: Context, database: Database) -> None:
    start = await horizon(database)
    await say(database, ring(1), ring(2))
    await age(database, timedelta(days=ctx.settings.event_days, minutes=1), 1)
    first = (await read(database, start)).records[0]
    await upkeep.prune_events(ctx)
    assert (await read_all(database, first.cursor))[0] == [2]
    with pytest.raises(Resync):
        await read(database, start)


async def test_finished_jobs_are_forgotten_and_failed_ones_are_not(ctx: Context, database: Database) -> None:
    await sql(database, "INSERT INTO pgqueuer (id, priority, status, entrypoint) VALUES (1, 0, 'failed', 'x');")
    await sql(
        database,
        "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created) VALUES"
        " (1, 'failed', 0, 'x', now() - interval '40 days'), (2, 'successful', 0, 'x', now() - interval '40 days'),"
        " (3, 'successful', 0, 'x', now() - interval '2 days')",
    )
    await upkeep.forget_finished_jobs(ctx)
    assert [row["job_id"] for row in await sql(database, "SELECT job_id FROM pgqueuer_log ORDER BY 1")] == [1, 3]


async def test_sessions_go_a_day_after_their_end(ctx: Context, database: Database) -> None:
    person, now = await make_person(database), datetime.now(UTC)
    ends = {"old": (-25, None), "expired": (-23, None), "signed out": (100, -25), "just signed out": (100, -1), "open": (100, None)}
    async with database.sessions.begin() as db:
        for door, (expires, ended) in ends.items():
            times = {"expires_at": now + timedelta(hours=expires), "ended_at": ended and now + timedelta(hours=ended)}
            db.add(Session(family=uuid4(), refresh_jti=uuid4(), user_id=person.id, door=door, **times))
    await upkeep.forget_sessions(ctx)
    async with database.sessions() as db:
        assert set(await db.scalars(select(Session.door))) == {"expired", "just signed out", "open"}


async def test_failed_sign_ins_are_kept_while_they_count_or_lock(ctx: Context, database: Database) -> None:
    past, later = datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC) + timedelta(minutes=1)
    async with database.sessions.begin() as db:
        for subject, window, lock in (("over", past, None), ("unlocked", past, past), ("locked", past, later), ("counting", later, None)):
            db.add(SignInFailure(subject=subject, failures=3, window_ends_at=window, locked_until=lock))
    await upkeep.forget_sign_in_failures(ctx)
    async with database.sessions() as db:
        assert set(await db.scalars(select(SignInFailure.subject))) == {"locked", "counting"}


async def test_sent_messages_go_after_the_set_days_and_unsent_ones_stay(ctx: Context, database: Database) -> None:
    old = datetime.now(UTC) - timedelta(days=ctx.settings.outbox_days, minutes=1)
    async with database.sessions.begin() as db:
        for to, sent in (("old", old), ("new", datetime.now(UTC)), ("unsent", None)):
            db.add(OutboxMessage(channel=Channel.EMAIL, to=to, body="", created_at=old, sent_at=sent))
    await upkeep.forget_sent_messages(ctx)
    async with database.sessions() as db:
        assert set(await db.scalars(select(OutboxMessage.to))) == {"new", "unsent"}
