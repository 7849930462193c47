"""What to recommend to whom: rules without a database.

Every figure comes from bookings: the person's own, and those of all guests as resolvers/population.py keeps them.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from models.recommendations import RecommendationAnswer, RecommendationKind, RecommendationPriority
from resolvers import reasons
from resolvers.rhythms import LAPSED, Frequency, Person, pull, ratio

NEARLY_DUE, LONG_DUE = 0.8, 1.5
MOST_SERVICES, MOST_OF_A_TYPE, MOST_REMINDERS = 5, 2, 2
DISLIKED = 2
"""A service that the person rated so, or lower, is not advised to them again."""
FAVORITE, SCENT = 0.5, 0.4
FAME, CROWD = 0.2, 0.2
"""What the person's own words weigh, and what all guests' stars and numbers do, beside 1 for what is just due."""
WARMER, COOLER = 1.5, 0.6
"""By how much an accepted, or declined, recommendation lifts those of the same type."""
COLDEST, WARMEST = 0.2, 3.0
UNRATED = 0.8
"""The affection for a service that the person never rated, between 0.2 for one star and 1 for five."""
HIGH, MEDIUM = 0.9, 0.45
USUAL_RATING, TRUSTED_RATINGS = 4.0, 5
"""A service with few ratings counts as usual until it has more."""
PAUSES = {
    (RecommendationKind.SERVICE, RecommendationAnswer.DECLINED): 60,
    (RecommendationKind.SERVICE, RecommendationAnswer.ACCEPTED): 7,
    (RecommendationKind.REMINDER, RecommendationAnswer.DECLINED): 21,
    (RecommendationKind.REMINDER, RecommendationAnswer.ACCEPTED): 7,
}
"""For how many days what was answered is not said again; who accepts is left the time to book."""


@dataclass(frozen=True)
class Candidate:
    """A service that can be booked, with what all guests do, and what the person's own words say about it."""

    service_id: int
    name: str
    service_type: str
    category_id: int
    guests: int
    ratings: int
    stars: int
    usual_weekday: int | None
    paired_with: str | None = None
    share: float = 0.0
    lift: float = 0.0
    scent: str | None = None
    is_favorite_type: bool = False

    @property
    def rating(self) -> float:
        """Its stars on average, drawn towards the usual while few have rated."""
        return (self.stars + USUAL_RATING * TRUSTED_RATINGS) / (self.ratings + TRUSTED_RATINGS)


@dataclass(frozen=True)
class Advice:
    """One recommendation as it is worked out."""

    kind: RecommendationKind
    service_type: str
    service_id: int | None
    reason: str
    priority: RecommendationPriority
    suggested_on: date

    @property
    def key(self) -> tuple[RecommendationKind, str, int | None]:
        """What it is about."""
        return (self.kind, self.service_type, self.service_id)


@dataclass(frozen=True)
class Ground:
    """One reason for a service: what it weighs, how it is said, and which day it speaks for."""

    weight: float
    say: Callable[[], str]
    day: date


def advise(person: Person, candidates: Iterable[Candidate]) -> list[Advice]:
    """Services in the order in which they fit, then reminders of what is due; nothing that was answered lately."""
    return [*_services(person, list(candidates)), *_reminders(person)]


def _reminders(person: Person) -> list[Advice]:
    found: list[Advice] = []
    [(most, _)] = person.types.most_common(1) or [("", 0)]
    for each in sorted(person.frequencies.values(), key=lambda one: pull(one, person.today), reverse=True):
        late = ratio(each, person.today)
        is_lapsed = late > LAPSED and each.service_type != most
        if late < 1 or is_lapsed or each.service_type in person.booked_types or _is_answered(person, each.service_type, None):
            continue
        priority = RecommendationPriority.HIGH if late >= LONG_DUE else RecommendationPriority.MEDIUM
        day = person.good_day(each.due_on, person.weekday)
        found.append(Advice(RecommendationKind.REMINDER, each.service_type, None, reasons.reminder(each, person.today), priority, day))
    return found[:MOST_REMINDERS]


def _services(person: Person, candidates: Sequence[Candidate]) -> list[Advice]:
    most = max((each.guests for each in candidates), default=0)
    weighed = []
    for each in candidates:
        if not _is_ruled_out(person, each):
            grounds = _grounds(person, each, most)
            score = sum(one.weight for one in grounds) * _warmth(person, each.service_type) * _belonging(person, each)
            if score > 0:
                weighed.append((score, each, max(grounds, key=lambda one: one.weight)))
    taken: Counter[str] = Counter()
    found: list[Advice] = []
    for score, each, ground in sorted(weighed, key=lambda one: (-one[0], one[1].service_id)):
        if taken[each.service_type] < MOST_OF_A_TYPE and len(found) < MOST_SERVICES:
            taken[each.service_type] += 1
            found.append(_advice(person, each, ground, score))
    return found


def _advice(person: Person, each: Candidate, ground: Ground, score: float) -> Advice:
    reason = ground.say()
    if any(one.answer is RecommendationAnswer.ACCEPTED and one.service_type == each.service_type for one in person.answers):
        reason += reasons.liked_before(each.service_type)
    priority = (
        RecommendationPriority.HIGH if score >= HIGH else RecommendationPriority.MEDIUM if score >= MEDIUM else RecommendationPriority.LOW
    )
    day = person.good_day(ground.day, each.usual_weekday if person.weekday is None else person.weekday)
    return Advice(RecommendationKind.SERVICE, each.service_type, each.service_id, reason, priority, day)


def _is_ruled_out(person: Person, each: Candidate) -> bool:
    """What is booked already, was answered lately, or was not liked."""
    if each.service_id in person.booked_services or _is_answered(person, each.service_type, each.service_id):
        return True
    ratings = [visit.rating for visit in person.of_service.get(each.service_id, ()) if visit.rating is not None]
    return bool(ratings) and ratings[-1] <= DISLIKED


def _is_answered(person: Person, service_type: str, service_id: int | None) -> bool:
    kind = RecommendationKind.SERVICE if service_id else RecommendationKind.REMINDER
    return any(
        each.kind is kind
        and each.days_ago < PAUSES[kind, each.answer]
        and (each.service_id == service_id if service_id else each.service_type == service_type)
        for each in person.answers
    )


def _grounds(person: Person, each: Candidate, most_guests: int) -> list[Ground]:
    """Everything that speaks for a service."""
    due, soon = person.frequencies.get(each.service_type), person.next_visit
    is_new = bool(person.past) and each.service_id not in person.of_service
    return [
        Ground(_due_weight(person, due, each), lambda: reasons.due(due, person.today), due.due_on if due else soon),
        Ground(_pair_weight(each), lambda: reasons.pair(each.paired_with, each.share), soon),
        Ground(FAVORITE * each.is_favorite_type, lambda: reasons.favorite(each.service_type), soon),
        Ground(SCENT * bool(each.scent), lambda: reasons.scent(each.scent), soon),
        Ground(_fame_weight(each, most_guests), lambda: reasons.fame(each.guests, each.ratings, each.stars, is_new=is_new), soon),
    ]


def _due_weight(person: Person, due: Frequency | None, each: Candidate) -> float:
    """What is due is advised as the service of that kind that the person had most and liked best."""
    if due is None or each.service_type in person.booked_types or ratio(due, person.today) < NEARLY_DUE:
        return 0.0
    had = person.of_service.get(each.service_id, [])
    liked = [visit.rating for visit in had if visit.rating is not None]
    affection = sum(liked) / len(liked) / 5 if liked else UNRATED
    return pull(due, person.today) * affection * len(had) / person.types[each.service_type]


def _pair_weight(each: Candidate) -> float:
    return min(1.0, each.share * math.log2(1 + each.lift)) if each.paired_with else 0.0


def _fame_weight(each: Candidate, most_guests: int) -> float:
    return max(0.0, FAME * (each.rating - 3) / 2) + CROWD * each.guests / most_guests if each.guests else 0.0


def _warmth(person: Person, service_type: str) -> float:
    """What earlier answers say of a kind of treatment."""
    about = Counter(each.answer for each in person.answers if each.service_type == service_type)
    warmth = WARMER ** about[RecommendationAnswer.ACCEPTED] * COOLER ** about[RecommendationAnswer.DECLINED]
    return min(max(warmth, COLDEST), WARMEST)


def _belonging(person: Person, each: Candidate) -> float:
    """A service of the category that the person always comes for fits twice as well as one of another."""
    return 0.5 + 0.5 * person.categories[each.category_id] / len(person.past) if person.past else 1.0
