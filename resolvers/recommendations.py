"""Recommendations: worked out when they are asked for, kept so that they can be answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert

from errors import NotFound
from models.catalogue import Service
from models.identity import STAFF
from models.keys import Key
from models.recommendations import (
    Recommendation,
    RecommendationAnswer,
    RecommendationKind,
    ServicePair,
    ServiceRhythm,
)
from resolvers.advice import Advice, Candidate, advise
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.values import parse_text
from resolvers.operations import SIGNED_IN, allow
from resolvers.rhythms import Answered, Frequency, Person, Rhythm, Visit
from resolvers.turns import turn
from subscriptions.facts import announce
from subscriptions.recommendations import RecommendationAnswered

LONGEST_FEEDBACK = 2000
MOST_VISITS = 400
"""The newest ones; who came more often has a rhythm from these."""
REMEMBERED_DAYS = 180
"""For so long answers weigh on what is recommended."""
RECENT_DAYS = 180
"""What goes with services of so long ago is looked for."""
MOST_CANDIDATES = 150

# One person's appointments with their days at the location, newest first.
VISITS = """
SELECT b.service_id, s.service_type, v.category_id, (b.starts_at AT TIME ZONE coalesce(l.time_zone, 'UTC'))::date AS day, b.rating,
  b.status <> 'completed' AS is_upcoming, v.name, b.location_id, l.time_zone
FROM bookings b
JOIN services v ON v.id = b.service_id
JOIN spa_services s ON s.service_id = b.service_id
LEFT JOIN locations l ON l.id = b.location_id
WHERE b.customer_id = $1 AND b.kind = 'appointment'
  AND (b.status = 'completed' OR b.status IN ('pending', 'confirmed', 'in_progress') AND b.ends_at > $2)
ORDER BY b.starts_at DESC, b.id DESC LIMIT $3
"""
# Services that the viewer may book: what goes with $2, what is of the kinds $3, what they named themselves, and what most come for.
CANDIDATES = """
WITH said AS (
  SELECT coalesce(favorite_scents, '{}') AS scents, coalesce(favorite_service_types, '{}') AS types FROM preferences WHERE user_id = $1
), paired AS (
  SELECT DISTINCT ON (p.other_id) p.other_id, one.name AS paired_with, p.share, p.lift
  FROM service_pairs p JOIN services one ON one.id = p.service_id
  WHERE p.service_id = ANY($2) ORDER BY p.other_id, p.share * ln(1 + p.lift) DESC, p.service_id
), member AS (
  SELECT EXISTS (
    SELECT FROM memberships WHERE user_id = $1 AND status = 'active' AND starts_on <= $4 AND ends_on >= $4
  ) AS is_member
)
SELECT * FROM (
  SELECT v.id AS service_id, v.name, s.service_type, v.category_id, coalesce(d.guests, 0) AS guests, coalesce(r.ratings, 0) AS ratings,
    coalesce(r.stars, 0) AS stars, d.usual_weekday, paired.paired_with,
    coalesce(paired.share, 0) AS share, coalesce(paired.lift, 0) AS lift,
    (SELECT scent FROM said, unnest(said.scents) WITH ORDINALITY AS named (scent, place)
     WHERE v.name || ' ' || v.short_description || ' ' || v.description ILIKE '%' || replace(scent, '_', ' ') || '%'
     ORDER BY place LIMIT 1) AS scent,
    coalesce((SELECT s.service_type = ANY(types) FROM said), false) AS is_favorite_type
  FROM services v
  JOIN spa_services s ON s.service_id = v.id
  LEFT JOIN service_demand d ON d.service_id = v.id
  LEFT JOIN service_ratings r ON r.service_id = v.id
  LEFT JOIN paired ON paired.other_id = v.id
  CROSS JOIN member
  WHERE v.is_active AND v.line = 'spa' AND (NOT s.member_only OR member.is_member)
) AS known
ORDER BY paired_with IS NULL, service_id <> ALL($2), service_type <> ALL($3), scent IS NULL, is_favorite_type DESC, guests DESC, service_id
LIMIT $5
"""
ANSWERS = """
SELECT kind, answer, service_type, service_id, $2::date - answered_at::date AS days_ago
FROM recommendations WHERE user_id = $1 AND answered_at > $2::date - $3::int
ORDER BY answered_at
"""
# Days on which a location is closed, and the weekdays on which it opens; without a location, those of the first.
CLOSED = """
WITH place AS (SELECT schedule_id FROM locations WHERE $1::bigint IS NULL OR id = $1 ORDER BY id LIMIT 1)
SELECT e.day, NULL::bigint AS weekday FROM schedule_exceptions e JOIN place USING (schedule_id)
WHERE e.opens IS NULL AND e.day >= $2::date AND e.day < $2::date + 400
UNION ALL SELECT DISTINCT NULL::date, h.weekday FROM schedule_hours h JOIN place USING (schedule_id)
"""
RHYTHMS = "SELECT service_type, interval_days, returns FROM service_rhythms"


@dataclass
class LastVisit:
    """The last service that a person had."""

    service: Service
    date: date
    days_ago: int


@dataclass
class Recommendations:
    """What is recommended to a person now, and what that was derived from."""

    last_visit: LastVisit | None
    recommendations: list[Recommendation]
    optimal_frequency: Frequency | None
    frequencies: list[Frequency]


@allow(SIGNED_IN)
async def get_my_recommendations(ctx: Context) -> Recommendations:
    """What is recommended to the viewer now, worked out from their own visits and from what all guests do."""
    async with turn(("recommendations", ctx.viewer.id)):
        rows, person, advice = await _work_out(ctx)
        kept = await _keep(ctx, advice)
    last = next((row for row in rows if not row["is_upcoming"]), None)
    frequencies = sorted(person.frequencies.values(), key=lambda each: (-each.visits, each.service_type))
    return Recommendations(
        last_visit=LastVisit(Service(id=last["service_id"]), last["day"], (person.today - last["day"]).days) if last else None,
        recommendations=kept,
        optimal_frequency=person.frequencies.get(last["service_type"] if last else "", next(iter(frequencies), None)),
        frequencies=frequencies,
    )


@allow(SIGNED_IN)
async def answer_recommendation(
    ctx: Context, *, id: Key[Recommendation], answer: RecommendationAnswer, feedback: str | None = None
) -> Recommendation:
    """Accept or decline a recommendation: what was declined is not said again for a while, and similar things come less often, or more."""
    words = None if feedback is None else parse_text(feedback, "feedback", longest=LONGEST_FEEDBACK) or None
    async with ctx.writing() as db:
        mine = select(Recommendation).where(id.names(Recommendation), Recommendation.user_id == ctx.viewer.id)
        found = await db.scalar(mine.with_for_update())
        if found is None:
            raise NotFound
        found.answer, found.answered_at = answer, ctx.now()
        if words is not None:
            found.feedback = words
        await announce(db, RecommendationAnswered(found))
        answers(db, found)
    return found


@allow(*STAFF)
def list_service_rhythms(ctx: Context) -> Select[ServiceRhythm]:
    """After how many days guests return, by kind of treatment; what recommendations are drawn from."""
    return select(ServiceRhythm).order_by(ServiceRhythm.service_type)


@allow(*STAFF)
def list_service_pairs(ctx: Context, *, service_id: Key[Service] | None = None) -> Select[ServicePair]:
    """Services that the same guests book within a week, the most telling first; what recommendations are drawn from."""
    found = select(ServicePair).order_by(ServicePair.lift.desc(), ServicePair.id)
    return found.where(ServicePair.service_id == service_id.of(Service)) if service_id is not None else found


async def _work_out(ctx: Context) -> tuple[list[Any], Person, list[Advice]]:
    """The viewer's visits, what they say, and the advice that follows; five statements, whatever the person's history."""
    read = ctx.database.run
    rows = await read(VISITS, [ctx.viewer.id, ctx.now(), MOST_VISITS])
    today = _today(ctx.now(), rows)
    visits = [Visit(*list(row.values())[:6]) for row in rows]
    rhythms = {row["service_type"]: Rhythm(row["interval_days"], row["returns"]) for row in await read(RHYTHMS, [])}
    said = [_answered(row) for row in await read(ANSWERS, [ctx.viewer.id, today, REMEMBERED_DAYS])]
    times = await read(CLOSED, [next((row["location_id"] for row in rows), None), today])
    recent = {each.service_id for each in visits if (today - each.day).days <= RECENT_DAYS}
    recent |= {each.service_id for each in said if each.service_id and each.answer is RecommendationAnswer.ACCEPTED}
    kinds = {each.service_type for each in visits}
    candidates = await read(CANDIDATES, [ctx.viewer.id, list(recent), list(kinds), today, MOST_CANDIDATES])
    person = Person(
        today,
        visits,
        rhythms,
        said,
        closed=frozenset(row["day"] for row in times if row["day"]),
        open_weekdays=frozenset(row["weekday"] for row in times if row["weekday"] is not None) or frozenset(range(7)),
    )
    return rows, person, advise(person, [Candidate(**row) for row in candidates])


def _today(now: datetime, rows: Sequence[Any]) -> date:
    """The day at the location of the newest visit."""
    zone = next((row["time_zone"] for row in rows if row["time_zone"]), "UTC")
    return now.astimezone(ZoneInfo(zone)).date()


def _answered(row: Any) -> Answered:
    return Answered(
        RecommendationKind(row["kind"]), RecommendationAnswer(row["answer"]), row["service_type"], row["service_id"], row["days_ago"]
    )


async def _keep(ctx: Context, advice: Sequence[Advice]) -> list[Recommendation]:
    """The rows of the advice, in its order; written only where they are new or say something else than before."""
    open_ones = select(Recommendation.__table__).where(Recommendation.user_id == ctx.viewer.id, Recommendation.answer.is_(None))
    known = {(row["kind"], row["service_type"], row["service_id"]): row for row in await ctx.fetch(open_ones)}
    changed = [each for each in advice if not _says(known.get(each.key), each)]
    numbers = {key: row["id"] for key, row in known.items()}
    if changed:
        async with ctx.writing() as db:
            rows = [{"user_id": ctx.viewer.id, **vars(each)} for each in changed]
            fresh = insert(Recommendation)
            said = {name: fresh.excluded[name] for name in ("reason", "priority", "suggested_on")}
            kept = fresh.on_conflict_do_update(
                index_elements=["user_id", "kind", "service_type", "service_id"], index_where=Recommendation.answer.is_(None), set_=said
            ).returning(Recommendation.id, Recommendation.kind, Recommendation.service_type, Recommendation.service_id)
            numbers |= {(kind, name, service): number for number, kind, name, service in await db.execute(kept.values(rows))}
            made = [Recommendation(id=numbers[each.key]) for each in advice]
            answers(db, made)
    return [Recommendation(id=numbers[each.key]) for each in advice]


def _says(row: Any, each: Advice) -> bool:
    return row is not None and (row["reason"], row["priority"], row["suggested_on"]) == (each.reason, each.priority, each.suggested_on)
