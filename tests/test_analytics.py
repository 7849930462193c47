"""Visits in figures, and ratings."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.execute import Engine
from errors import BadUserInput, Conflict, Forbidden, NotFound
from models.bookings import BookingStatus
from models.catalogue import Service
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from resolvers import analytics
from resolvers.context import Context
from resolvers.limits import forget_counters
from resolvers.visits import complete_visit, complete_visits, start_visit
from settings import Settings
from tests.examples import examples
from tests.paying import by
from tests.people import call, nobody
from tests.sql import sql, value
from tests.visiting import ago, had, make_service, make_visit
from tests.worlds import Spa, make_person, make_spa, soon


@dataclass
class World:
    """A spa in New York, and Ann who visits it."""

    ctx: Context
    spa: Spa
    ann: User
    facial: Service

    @property
    def as_ann(self) -> Context:
        return by(self.ctx, self.ann)

    @property
    def as_staff(self) -> Context:
        return by(self.ctx, self.ann, Role.SUPPORT)

    async def summary(self) -> analytics.VisitSummary:
        found: analytics.VisitSummary = await call(analytics.get_my_visit_summary, self.as_ann)
        return found


@pytest.fixture
async def world(database: Database, settings: Settings) -> World:
    await forget_counters(database)  # the person with the same number in another test had a budget too
    spa = await make_spa(database, time_zone="America/New_York")
    ann = await make_person(database)
    return World(nobody(database, settings), spa, ann, await make_service(database, spa, "Calm Facial", "facial"))


async def test_a_visit_belongs_to_the_month_of_its_location(world: World, database: Database) -> None:
    last_night = datetime(2026, 2, 1, 4, 30, tzinfo=UTC)  # 23:30 on 31 January in New York
    await make_visit(database, world.spa, world.ann, world.facial, last_night, paid="100.00")
    await make_visit(database, world.spa, world.ann, world.facial, last_night + timedelta(hours=1), paid="50.00", room=1)
    found = await world.summary()
    assert [(each.name, each.visits, each.spent) for each in found.months] == [
        ("january_2026", 1, Decimal("100.00")),
        ("february_2026", 1, Decimal("50.00")),
    ]
    assert found.last_visit == date(2026, 2, 1)
    january: dict[str, Any] = {"since": date(2026, 1, 1), "until": date(2026, 2, 1)}
    [house] = await call(analytics.list_monthly_figures, world.as_staff, **january)
    assert (house.month, house.visits, house.revenue) == (date(2026, 1, 1), 1, Decimal("100.00"))


async def test_spent_is_what_was_paid_and_not_given_back(world: World, database: Database) -> None:
    massage = world.spa.service
    await had(database, world.spa, world.ann, massage, 40, paid="200.00", refunded="50.00")
    await had(database, world.spa, world.ann, massage, 20)  # covered by a credit
    await had(database, world.spa, world.ann, world.facial, 10, paid="100.00")
    await had(database, world.spa, world.ann, world.facial, 5, paid="100.00", status=BookingStatus.CANCELLED)
    found = await world.summary()
    assert (found.total_visits, found.total_spent) == (3, Decimal("250.00"))
    assert found.favorite_service is not None
    assert found.favorite_service.id == massage.id
    assert sum(each.spent for each in found.months) == found.total_spent


async def test_other_currencies_are_visits_but_no_money(world: World, database: Database) -> None:
    await had(database, world.spa, world.ann, world.facial, 40, paid="100.00", currency="INR")
    await had(database, world.spa, world.ann, world.facial, 5, paid="70.00")
    found = await world.summary()
    assert (found.total_visits, found.total_spent, found.currency) == (2, Decimal("70.00"), "USD")


async def test_who_never_came_has_no_figures(world: World) -> None:
    found = await world.summary()
    assert found == analytics.VisitSummary(0, Decimal(0), "USD", None, None, [])


async def test_a_rating_counts_once_and_the_last_word_counts(world: World, database: Database) -> None:
    [visit] = await had(database, world.spa, world.ann, world.facial, 5)
    await call(analytics.rate_booking, world.as_ann, id=Key(number=visit.id), rating=5, feedback=" Excellent! ")
    rated = await call(analytics.rate_booking, world.as_ann, id=Key(number=visit.id), rating=3)
    assert (rated.rating, rated.feedback) == (3, "Excellent!")
    assert [tuple(row) for row in await sql(database, "SELECT ratings, stars FROM service_ratings")] == [(1, 3)]
    assert await value(database, "SELECT count(*) FROM event_log WHERE kind = 'booking.rated'") == 2


async def test_ratings_of_a_crowd_and_of_one_impatient_guest_all_add_up(world: World, database: Database) -> None:
    guests = [world.ann, *[await make_person(database, f"guest{each}") for each in range(5)]]
    visits = [(await had(database, world.spa, each, world.facial, 5 + at))[0] for at, each in enumerate(guests)]
    rated = [
        call(analytics.rate_booking, by(world.ctx, guest), id=Key(number=visit.id), rating=rating)
        for guest, visit in zip(guests, visits, strict=True)
        for rating in (2, 4, 4)
    ]
    await asyncio.gather(*rated)
    [kept] = await sql(database, "SELECT r.ratings, r.stars, (SELECT sum(rating)::int FROM bookings) AS said FROM service_ratings r")
    assert (kept["ratings"], kept["stars"]) == (6, kept["said"])


@pytest.mark.parametrize("rating", [0, 6, -1])
async def test_stars_are_one_to_five(world: World, database: Database, rating: int) -> None:
    [visit] = await had(database, world.spa, world.ann, world.facial, 5)
    with pytest.raises(BadUserInput) as refused:
        await call(analytics.rate_booking, world.as_ann, id=Key(number=visit.id), rating=rating)
    assert list(refused.value.fields) == ["rating"]


async def test_only_a_completed_visit_of_ones_own_is_rated(world: World, database: Database) -> None:
    ben = await make_person(database, "ben")
    [his] = await had(database, world.spa, ben, world.facial, 5)
    for ctx, number in ((world.as_ann, his.id), (world.as_staff, his.id), (world.as_ann, 999_999)):
        with pytest.raises(NotFound):
            await call(analytics.rate_booking, ctx, id=Key(number=number), rating=5)
    coming = await make_visit(database, world.spa, world.ann, world.facial, soon(), status=BookingStatus.CONFIRMED)
    with pytest.raises(Conflict):
        await call(analytics.rate_booking, world.as_ann, id=Key(number=coming.id), rating=5)


async def test_a_repeat_under_the_same_key_rates_once(world: World, database: Database) -> None:
    [visit] = await had(database, world.spa, world.ann, world.facial, 5)
    for _ in range(2):
        await call(analytics.rate_booking, world.as_ann, key="k1", id=Key(number=visit.id), rating=5)
    assert await value(database, "SELECT count(*) FROM event_log WHERE kind = 'booking.rated'") == 1


@pytest.mark.parametrize(("since", "until"), [("2026-01-01", "2026-01-01"), ("2026-02-01", "2026-01-01"), ("2020-01-01", "2026-01-01")])
async def test_months_of_the_house_are_asked_for_within_reason(world: World, since: str, until: str) -> None:
    with pytest.raises(BadUserInput):
        await call(analytics.list_monthly_figures, world.as_staff, since=date.fromisoformat(since), until=date.fromisoformat(until))


async def test_the_months_of_the_house_are_the_staffs_and_by_location(world: World, database: Database) -> None:
    year: dict[str, Any] = {"since": date(2026, 1, 1), "until": date(2026, 12, 31)}
    await make_visit(database, world.spa, world.ann, world.facial, datetime(2026, 5, 5, 15, tzinfo=UTC), paid="100.00", rating=4)
    [month] = await call(analytics.list_monthly_figures, world.as_staff, **year, location_id=Key(number=world.spa.location.id))
    assert (month.guests, month.ratings, month.rating) == (1, 1, 4.0)
    with pytest.raises(NotFound):
        await call(analytics.list_monthly_figures, world.as_staff, **year, location_id=Key(number=999_999))
    with pytest.raises(Forbidden):
        await call(analytics.list_monthly_figures, world.as_ann, **year)


async def test_staff_note_that_a_visit_begins_and_took_place(world: World, database: Database) -> None:
    visit = await make_visit(
        database, world.spa, world.ann, world.facial, datetime.now(UTC) + timedelta(minutes=10), status=BookingStatus.CONFIRMED
    )
    with pytest.raises(Forbidden):
        await call(start_visit, world.as_ann, id=Key(number=visit.id))
    assert (await call(start_visit, world.as_staff, id=Key(number=visit.id))).status is BookingStatus.IN_PROGRESS
    with pytest.raises(Conflict):
        await call(complete_visit, world.as_staff, id=Key(number=visit.id))  # it has not begun
    await sql(database, "UPDATE bookings SET starts_at = now() - interval '5 minutes'")
    assert (await call(complete_visit, world.as_staff, id=Key(number=visit.id))).status is BookingStatus.COMPLETED
    later = await make_visit(database, world.spa, world.ann, world.facial, soon(), status=BookingStatus.CONFIRMED)
    with pytest.raises(Conflict):
        await call(start_visit, world.as_staff, id=Key(number=later.id))


async def test_visits_complete_themselves_once_even_with_two_workers(world: World, database: Database) -> None:
    for status in (BookingStatus.CONFIRMED, BookingStatus.IN_PROGRESS, BookingStatus.PENDING, BookingStatus.CANCELLED):
        await make_visit(database, world.spa, world.ann, world.facial, ago(2), status=status)
    await make_visit(
        database, world.spa, world.ann, world.facial, datetime.now(UTC) - timedelta(minutes=65), status=BookingStatus.CONFIRMED
    )
    await asyncio.gather(complete_visits(world.ctx), complete_visits(world.ctx))
    statuses = [row["status"] for row in await sql(database, "SELECT status FROM bookings ORDER BY id")]
    assert statuses == ["completed", "completed", "pending", "cancelled", "confirmed"]
    assert await value(database, "SELECT count(*) FROM event_log WHERE kind = 'booking.completed'") == 2


async def test_the_examples_of_the_page_work(world: World, database: Database, settings: Settings) -> None:
    [visit] = await had(database, world.spa, world.ann, world.facial, 5, paid="100.00")
    read, rate = examples("analytics.md")
    engine = Engine(settings)
    rated = await engine.run(rate, world.as_ann, variables={"id": str(visit.id)})
    assert (rated.errors, rated.data) == (
        [],
        {"rateBooking": {"rating": 5, "feedback": "Excellent experience!", "service": {"rating": 5.0, "ratingCount": 1}}},
    )
    answer = await engine.run(read, world.as_ann)
    assert answer.errors == []
    assert answer.data is not None
    assert answer.data["myVisitSummary"]["totalSpent"] == "100.00"
    assert answer.data["myBookings"]["nodes"][0]["amountPaid"] == "100.00"
