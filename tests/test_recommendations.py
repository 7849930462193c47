"""What is recommended: the rules, what they read, and what answers change."""

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

import clock
from engine.execute import Engine
from errors import Forbidden, NotFound
from models.bookings import BookingStatus
from models.catalogue import Service
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from models.recommendations import RecommendationAnswer, RecommendationKind
from resolvers import recommendations
from resolvers.advice import Advice, Candidate, advise
from resolvers.context import Context
from resolvers.limits import forget_counters
from resolvers.population import refresh_population
from resolvers.rhythms import Answered, Person, Rhythm, Visit, frequency
from settings import Settings
from tests.examples import examples
from tests.paying import by
from tests.people import call, nobody
from tests.sql import sql, value
from tests.visiting import had, make_service, make_visit
from tests.worlds import Spa, make_person, make_spa, soon

TODAY = date(2026, 11, 20)  # a Friday
MASSAGE, FACIAL, SAUNA = 1, 2, 3
KINDS = {MASSAGE: "massage", FACIAL: "facial", SAUNA: "sauna"}
NAMES = {MASSAGE: "Deep Massage", FACIAL: "Calm Facial", SAUNA: "Dry Sauna"}
RHYTHMS = {"massage": Rhythm(28, 100), "facial": Rhythm(42, 50)}


def visit(service: int, days_ago: int, rating: int | None = None, *, is_upcoming: bool = False) -> Visit:
    return Visit(service, KINDS[service], 1, TODAY - timedelta(days_ago), rating, is_upcoming)


def offer(service: int, **more: Any) -> Candidate:
    about: dict[str, Any] = {"guests": 0, "ratings": 0, "stars": 0, "usual_weekday": None, **more}
    return Candidate(service_id=service, name=NAMES[service], service_type=KINDS[service], category_id=1, **about)


def advice(visits: Sequence[Visit], *offers: Candidate, **about: Any) -> list[Advice]:
    person = Person(TODAY, visits, RHYTHMS, **about)
    return advise(person, offers or [offer(each, guests=10) for each in KINDS])


def answered(service: int, answer: RecommendationAnswer, days_ago: int = 1) -> Answered:
    return Answered(RecommendationKind.SERVICE, answer, KINDS[service], service, days_ago)


def test_an_interval_is_ones_own_the_more_there_is_of_it() -> None:
    fortnights = [TODAY - timedelta(14 * each) for each in range(12, 0, -1)]
    once = frequency("massage", fortnights[-1:], RHYTHMS["massage"])
    twice = frequency("massage", fortnights[-2:], RHYTHMS["massage"])
    often = frequency("massage", fortnights, RHYTHMS["massage"])
    found = [each.recommended_interval_days for each in (once, twice, often) if each]
    assert found == [28, 24, 17]  # everybody's, (14 + 3 * 28) / 4, (11 * 14 + 3 * 28) / 14
    assert often is not None
    assert (often.own_interval_days, often.population_interval_days, often.due_on) == (14.0, 28, TODAY - timedelta(14) + timedelta(17))
    alone = frequency("massage", fortnights, None)
    assert alone is not None
    assert alone.recommended_interval_days == 14
    assert frequency("sauna", fortnights[-1:], None) is None


def test_what_is_due_comes_first_with_its_reason_and_a_day_to_come() -> None:
    first, *others = advice([visit(MASSAGE, each) for each in (75, 54, 40, 26)])
    assert (first.service_id, first.reason) == (MASSAGE, "Your last massage was 26 days ago; you usually come after 3 weeks.")
    assert first.suggested_on > TODAY
    assert [each.kind for each in others][-1] is RecommendationKind.REMINDER
    assert others[-1].reason == "It has been 26 days since your last massage; you usually come after 3 weeks - time for the next?"


def test_what_is_booked_already_is_neither_advised_nor_reminded_of() -> None:
    found = advice([*[visit(MASSAGE, each) for each in (75, 54, 40, 26)], visit(MASSAGE, -3, is_upcoming=True)])
    assert [each.service_type for each in found].count("massage") == 0


def test_of_what_is_due_the_liked_one_is_advised() -> None:
    deep, soft = offer(MASSAGE), dataclasses.replace(offer(FACIAL), service_type="massage")
    visits = [visit(MASSAGE, 60, 5), visit(MASSAGE, 30, 5), dataclasses.replace(visit(FACIAL, 45, 3), service_type="massage")]
    assert advice(visits, soft, deep)[0].service_id == MASSAGE


def test_what_was_rated_badly_is_not_advised_again() -> None:
    assert FACIAL not in [each.service_id for each in advice([visit(FACIAL, 90, 2)])]
    assert FACIAL in [each.service_id for each in advice([visit(FACIAL, 120, 2), visit(FACIAL, 90, 5)])]


def test_what_others_have_with_it_is_told_with_their_share() -> None:
    pair = offer(SAUNA, paired_with="Deep Massage", share=0.45, lift=2.5)
    [found] = [each for each in advice([visit(MASSAGE, 3)], pair) if each.service_id == SAUNA]
    assert found.reason == "45 of 100 guests of Deep Massage have it within a week as well."


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"is_favorite_type": True}, "Sauna is among your favorites."),
        ({"scent": "cedar"}, "It comes with cedar, one of your favorite scents."),
        ({"guests": 40, "ratings": 30, "stars": 144}, "Guests rated it 4.8 of 5, 30 times."),
        ({"guests": 1}, "1 guest had it in the last two years."),
    ],
)
def test_a_newcomer_is_advised_by_what_they_said_and_by_what_others_think(said: dict[str, Any], reason: str) -> None:
    [found] = advice([], offer(SAUNA, **said))
    assert found.reason == reason


def test_what_nothing_speaks_for_is_not_advised() -> None:
    assert advice([], offer(SAUNA)) == []


def test_declined_does_not_return_for_a_while_and_cools_its_kind() -> None:
    visits = [visit(MASSAGE, each) for each in (75, 54, 40, 26)]
    declined = [answered(MASSAGE, RecommendationAnswer.DECLINED, 59)]
    assert MASSAGE not in [each.service_id for each in advice(visits, answers=declined)]
    later = [answered(MASSAGE, RecommendationAnswer.DECLINED, 60)]
    assert MASSAGE in [each.service_id for each in advice(visits, answers=later)]
    offers = [offer(FACIAL, guests=10), offer(SAUNA, guests=9)]
    assert advice([], *offers)[0].service_id == FACIAL
    other = Answered(RecommendationKind.SERVICE, RecommendationAnswer.DECLINED, "facial", 77, 10)
    assert advice([], *offers, answers=[other])[0].service_id == SAUNA


def test_accepted_raises_what_is_similar_and_says_so() -> None:
    offers = [offer(FACIAL, guests=10), offer(SAUNA, guests=9)]
    accepted = Answered(RecommendationKind.SERVICE, RecommendationAnswer.ACCEPTED, "sauna", 77, 10)
    first = advice([], *offers, answers=[accepted])[0]
    assert (first.service_id, first.reason) == (
        SAUNA, "9 guests had it in the last two years. You liked our advice about sauna before.",
    )  # fmt: skip


def test_what_was_given_up_long_ago_fades() -> None:
    regular = [visit(MASSAGE, each) for each in (85, 57, 29)]
    given_up = visit(FACIAL, 400)
    found = advice([*regular, given_up])
    assert found[0].service_id == MASSAGE
    assert [each.service_type for each in found if each.kind is RecommendationKind.REMINDER] == ["massage"]


def test_a_day_is_the_usual_weekday_and_never_one_that_is_closed() -> None:
    mondays = [visit(MASSAGE, each) for each in (46, 39, 32, 25)]
    assert [each.day.weekday() for each in mondays] == [0, 0, 0, 0]
    assert advice(mondays)[0].suggested_on == date(2026, 11, 23)
    assert advice(mondays, closed=frozenset({date(2026, 11, 23)}))[0].suggested_on == date(2026, 11, 30)
    assert advice(mondays, open_weekdays=frozenset({2, 3}))[0].suggested_on == date(2026, 11, 25)


@dataclass
class World:
    """A spa with three services, and guests of whom Ann is one."""

    ctx: Context
    spa: Spa
    ann: User
    facial: Service
    sauna: Service
    asked: list[str] = field(default_factory=list)

    @property
    def as_ann(self) -> Context:
        return by(self.ctx, self.ann)

    async def advice(self) -> list[dict[str, Any]]:
        """What Ann is recommended, in order."""
        found = await call(recommendations.get_my_recommendations, self.as_ann)
        numbers = [each.id for each in found.recommendations]
        rows = {row["id"]: dict(row) for row in await sql(self.ctx.database, "SELECT * FROM recommendations")}
        return [rows[each] for each in numbers]

    async def services(self) -> list[int]:
        return [each["service_id"] for each in await self.advice() if each["kind"] == "service"]

    async def answer(self, number: int, answer: RecommendationAnswer) -> None:
        await call(recommendations.answer_recommendation, self.as_ann, id=Key(number=number), answer=answer)


@pytest.fixture
async def world(database: Database, settings: Settings) -> World:
    await forget_counters(database)  # the person with the same number in another test had a budget too
    spa = await make_spa(database)
    await sql(database, "UPDATE spa_services SET service_type = 'massage'")
    facial = await make_service(database, spa, "Calm Facial", "facial")
    sauna = await make_service(database, spa, "Dry Sauna", "sauna")
    made = World(nobody(database, settings), spa, await make_person(database), facial, sauna)
    for number in range(4):  # come every 20 days for a massage, and for a sauna the day after; four others only for a facial
        guest, other = await make_person(database, f"guest{number}"), await make_person(database, f"other{number}")
        await had(database, spa, guest, spa.service, 70, 50, 30)
        await had(database, spa, guest, sauna, 69, 49)
        await had(database, spa, other, facial, 100, 60)
    await refresh_population(made.ctx)
    return made


async def test_the_population_is_worked_out_from_bookings(world: World, database: Database) -> None:
    rhythms = await sql(database, "SELECT service_type, interval_days, returns, guests FROM service_rhythms ORDER BY 1")
    assert [tuple(each) for each in rhythms] == [("facial", 40.0, 4, 4), ("massage", 20.0, 8, 4), ("sauna", 20.0, 4, 4)]
    pairs = await sql(database, "SELECT service_id, other_id, guests, share, lift FROM service_pairs ORDER BY 1")
    both = {world.spa.service.id, world.sauna.id}
    assert [({each["service_id"], each["other_id"]}, each["guests"], each["share"], each["lift"]) for each in pairs] == [
        (both, 4, 1.0, 2.0)
    ] * 2
    demand = await sql(database, "SELECT visits, guests FROM service_demand ORDER BY service_id")
    assert [tuple(each) for each in demand] == [(12, 4), (8, 4), (8, 4)]


async def test_the_population_follows_its_bookings_and_two_workers_do_not_collide(world: World, database: Database) -> None:
    await sql(database, "UPDATE bookings SET status = 'cancelled' WHERE service_id = $1", world.sauna.id)
    await asyncio.gather(refresh_population(world.ctx), refresh_population(world.ctx))
    assert await value(database, "SELECT count(*) FROM service_pairs") == 0
    assert await value(database, "SELECT count(*) FROM service_rhythms WHERE service_type = 'sauna'") == 0


async def test_a_person_is_advised_from_their_visits_and_from_everybodys(world: World, database: Database) -> None:
    await had(database, world.spa, world.ann, world.spa.service, 45, 30)
    found = await call(recommendations.get_my_recommendations, world.as_ann)
    assert (found.last_visit.service.id, found.last_visit.days_ago) == (world.spa.service.id, 30)
    assert (found.optimal_frequency.service_type, found.optimal_frequency.recommended_interval_days) == ("massage", 19)
    advised = {each["service_id"]: each["reason"] for each in await world.advice()}
    assert advised[world.spa.service.id] == "Your last massage was 30 days ago; guests usually return after 19 days."
    assert advised[world.sauna.id] == "100 of 100 guests of AI Massage Therapy have it within a week as well."
    assert advised[None].startswith("It has been 30 days since your last massage")


async def test_asking_again_answers_the_same_rows_and_writes_nothing(world: World, database: Database) -> None:
    await had(database, world.spa, world.ann, world.spa.service, 45, 30)
    first = await world.advice()
    written = await sql(database, "SELECT id, xmin FROM recommendations ORDER BY id")
    both = await asyncio.gather(world.advice(), world.advice())
    assert list(both) == [first, first]
    assert await sql(database, "SELECT id, xmin FROM recommendations ORDER BY id") == written


async def test_two_processes_that_advise_at_once_agree(world: World, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommendations, "turn", lambda _: _Open())  # turns are taken within one process only
    await had(database, world.spa, world.ann, world.spa.service, 45, 30)
    every = await asyncio.gather(*(world.advice() for _ in range(6)))
    assert all(each == every[0] for each in every)


class _Open:
    async def __aenter__(self) -> bool:
        return False

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_declined_is_gone_until_its_time_is_over(world: World, database: Database) -> None:
    await had(database, world.spa, world.ann, world.spa.service, 45, 30)
    [row] = [each for each in await world.advice() if each["service_id"] == world.sauna.id]
    await world.answer(row["id"], RecommendationAnswer.DECLINED)
    assert world.sauna.id not in await world.services()
    await sql(database, "UPDATE recommendations SET answered_at = answered_at - interval '61 days' WHERE answer IS NOT NULL")
    assert world.sauna.id in await world.services()
    kept = await sql(database, "SELECT answer FROM recommendations WHERE service_id = $1 ORDER BY id", world.sauna.id)
    assert [each["answer"] for each in kept] == ["declined", None]


async def test_accepted_raises_what_is_similar(world: World, database: Database) -> None:
    steam = await make_service(database, world.spa, "Steam Bath", "sauna")
    await sql(
        database, "INSERT INTO service_ratings (service_id, ratings, stars) VALUES ($1, 9, 45), ($2, 9, 42)", world.facial.id, steam.id
    )
    await sql(database, "INSERT INTO service_demand (service_id, visits, guests, usual_weekday) VALUES ($1, 4, 4, 0)", steam.id)
    before = await world.services()
    assert before.index(world.facial.id) < before.index(steam.id)
    [row] = [each for each in await world.advice() if each["service_id"] == world.sauna.id]
    await world.answer(row["id"], RecommendationAnswer.ACCEPTED)
    after = await world.services()
    assert after.index(steam.id) < after.index(world.facial.id)
    assert world.sauna.id not in after  # they are left the time to book it


async def test_the_last_answer_counts_and_another_persons_is_unknown(world: World, database: Database) -> None:
    row = (await world.advice())[0]
    ben = by(world.ctx, await make_person(database, "ben"))
    for ctx, number in ((ben, row["id"]), (world.as_ann, 999_999)):
        with pytest.raises(NotFound):
            await call(recommendations.answer_recommendation, ctx, id=Key(number=number), answer=RecommendationAnswer.ACCEPTED)
    for answer in (RecommendationAnswer.ACCEPTED, RecommendationAnswer.DECLINED):
        await world.answer(row["id"], answer)
    [kept] = await sql(database, "SELECT answer FROM recommendations WHERE id = $1", row["id"])
    assert kept["answer"] == "declined"
    assert await value(database, "SELECT count(*) FROM event_log WHERE kind = 'recommendation.answered'") == 2


async def test_a_repeat_under_the_same_key_answers_once(world: World, database: Database) -> None:
    row = (await world.advice())[0]
    arguments = {"id": Key[Any](number=row["id"]), "answer": RecommendationAnswer.ACCEPTED}
    for _ in range(2):
        await call(recommendations.answer_recommendation, world.as_ann, key="k1", **arguments)
    assert await value(database, "SELECT count(*) FROM event_log WHERE kind = 'recommendation.answered'") == 1


async def test_preferences_are_heard(world: World, database: Database) -> None:
    await sql(database, "UPDATE services SET description = 'With a balm of Cedar and bergamot' WHERE id = $1", world.facial.id)
    said = "INSERT INTO preferences (user_id, favorite_scents, favorite_service_types) VALUES ($1, '{lavender,cedar}', '{massage}')"
    await sql(database, said, world.ann.id)
    advised = {each["service_id"]: each["reason"] for each in await world.advice()}
    assert advised[world.facial.id] == "It comes with cedar, one of your favorite scents."
    assert advised[world.spa.service.id] == "Massage is among your favorites."


async def test_what_is_only_for_members_is_not_advised_to_others(world: World, database: Database) -> None:
    await sql(database, "UPDATE spa_services SET member_only = true WHERE service_id = $1", world.sauna.id)
    await sql(database, "UPDATE services SET is_active = false WHERE id = $1", world.facial.id)
    assert await world.services() == [world.spa.service.id]


async def test_the_number_of_statements_does_not_grow(
    world: World, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    original = Database.run

    async def run(self: Database, text: str, arguments: list[Any]) -> Any:
        asked.append(text)
        return await original(self, text, arguments)

    monkeypatch.setattr(Database, "run", run)
    engine, counts = Engine(settings), []
    for _ in range(2):
        await had(database, world.spa, world.ann, world.spa.service, *range(10, 200, 10))
        await make_visit(database, world.spa, world.ann, world.facial, soon(), status=BookingStatus.CONFIRMED)
        await engine.run(examples("recommendations.md")[0], world.as_ann)
        asked.clear()
        answer = await engine.run(examples("recommendations.md")[0], world.as_ann)
        assert answer.errors == []
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 8  # five that are worked out from, the open advice, its rows, and the last service


async def test_the_figures_behind_are_the_staffs(world: World, settings: Settings) -> None:
    engine = Engine(settings)
    text = "{ serviceRhythms { serviceType intervalDays } servicePairs { nodes { service { name } other { name } share lift } } }"
    refused = await engine.run(text, world.as_ann)
    assert {type(each.original_error) for each in refused.errors} == {Forbidden}
    answer = await engine.run(text, by(world.ctx, world.ann, Role.ADMIN))
    assert answer.data is not None
    assert {each["other"]["name"] for each in answer.data["servicePairs"]["nodes"]} == {"AI Massage Therapy", "Dry Sauna"}


async def test_time_alone_makes_things_due(world: World, database: Database) -> None:
    await had(database, world.spa, world.ann, world.spa.service, 20, 5)
    assert "reminder" not in [each["kind"] for each in await world.advice()]
    clock.set_ahead(timedelta(days=20).total_seconds())
    try:
        assert "reminder" in [each["kind"] for each in await world.advice() if each["service_type"] == "massage"]
    finally:
        clock.set_ahead(0)


async def test_the_examples_of_the_page_work(world: World, database: Database, settings: Settings) -> None:
    await had(database, world.spa, world.ann, world.spa.service, 45, 30)
    read, answer = examples("recommendations.md")
    engine = Engine(settings)
    found = await engine.run(read, world.as_ann)
    assert found.errors == []
    assert found.data is not None
    advised = found.data["myRecommendations"]
    assert advised["optimalFrequency"]["serviceType"] == "massage"
    assert {"book_massage"} == {each["action"] for each in advised["recommendations"] if "action" in each}
    answered = await engine.run(answer, world.as_ann, variables={"id": str(advised["recommendations"][0]["number"])})
    assert answered.errors == []
