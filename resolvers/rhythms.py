"""How often somebody comes for what: their own rhythm and everybody's, without a database."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

from models.recommendations import RecommendationAnswer, RecommendationKind

OWN_WEIGHT = 3
"""Of so many returns of their own on, a person's rhythm counts more than everybody's."""
FEWEST_FOR_WEEKDAY, WEEKDAY_SHARE = 4, 0.4
"""From how many visits on, and which share of them, a weekday counts as the usual one."""
DAYS_AHEAD = 28
LATE, LAPSED = 2.0, 3.0
"""What is this many intervals late draws most; from the second on it draws less and less."""


@dataclass(frozen=True)
class Visit:
    """An appointment of the person, past or to come."""

    service_id: int
    service_type: str
    category_id: int
    day: date
    rating: int | None
    is_upcoming: bool


@dataclass(frozen=True)
class Rhythm:
    """After how many days all guests return for one kind of treatment, learned from so many returns."""

    interval_days: float
    returns: int


@dataclass(frozen=True)
class Answered:
    """What the person said to an earlier recommendation."""

    kind: RecommendationKind
    answer: RecommendationAnswer
    service_type: str
    service_id: int | None
    days_ago: int


@dataclass(frozen=True)
class Frequency:
    """How often a kind of treatment is good for a person, and what that was derived from."""

    service_type: str
    recommended_interval_days: int
    own_interval_days: float | None
    population_interval_days: float | None
    visits: int
    last_visit: date

    @property
    def due_on(self) -> date:
        """The day on which the next visit would keep the rhythm."""
        return self.last_visit + timedelta(days=self.recommended_interval_days)


@dataclass
class Person:
    """What is known of somebody who asks for advice; `closed` and `open_weekdays` are those of their usual location."""

    today: date
    visits: Sequence[Visit]
    rhythms: Mapping[str, Rhythm]
    answers: Sequence[Answered] = ()
    closed: frozenset[date] = frozenset()
    open_weekdays: frozenset[int] = frozenset(range(7))

    def __post_init__(self) -> None:
        self.past = sorted((each for each in self.visits if not each.is_upcoming), key=lambda each: each.day)
        self.booked_services = {each.service_id for each in self.visits if each.is_upcoming}
        self.booked_types = {each.service_type for each in self.visits if each.is_upcoming}
        self.types = Counter(each.service_type for each in self.past)
        self.categories = Counter(each.category_id for each in self.past)
        self.of_service: dict[int, list[Visit]] = {}
        for each in self.past:
            self.of_service.setdefault(each.service_id, []).append(each)
        self.frequencies = self._frequencies()
        self.weekday = self._weekday()
        self.next_visit = self._next_visit()

    def good_day(self, wanted: date, weekday: int | None) -> date:
        """The first day from the wanted one on, tomorrow at the soonest, that is the weekday and not closed."""
        first = max(wanted, self.today + timedelta(days=1))
        days = [first + timedelta(days=each) for each in range(DAYS_AHEAD)]
        fit = [day for day in days if day not in self.closed and day.weekday() in self.open_weekdays]
        return next((day for day in fit if weekday is None or day.weekday() == weekday), fit[0] if fit else first)

    def _frequencies(self) -> dict[str, Frequency]:
        """For each kind of treatment that the person had: how often it is good for them."""
        days: dict[str, set[date]] = {}
        for each in self.past:
            days.setdefault(each.service_type, set()).add(each.day)
        found = (frequency(name, sorted(had), self.rhythms.get(name)) for name, had in days.items())
        return {each.service_type: each for each in found if each}

    def _weekday(self) -> int | None:
        """The weekday on which the person usually comes."""
        if len(self.past) < FEWEST_FOR_WEEKDAY:
            return None
        [(day, times)] = Counter(each.day.weekday() for each in self.past).most_common(1)
        return day if times >= WEEKDAY_SHARE * len(self.past) else None

    def _next_visit(self) -> date:
        """When the person will come again anyway."""
        days = sorted({each.day for each in self.past})
        own = gaps(days)
        if own:
            return days[-1] + timedelta(days=round(median(own)))
        return min((each.due_on for each in self.frequencies.values()), default=self.today)


def gaps(days: Sequence[date]) -> list[int]:
    """How many days lie between each day and the next."""
    return [(after - before).days for before, after in pairwise(days)]


def frequency(service_type: str, days: Sequence[date], rhythm: Rhythm | None) -> Frequency | None:
    """A person's own interval, drawn towards everybody's the less it is based on; None where nobody ever returned."""
    own = gaps(days)
    middle = float(median(own)) if own else None
    general = rhythm.interval_days if rhythm else None
    if middle is None and general is None:
        return None
    if middle is None or general is None:
        interval = middle or general or 1.0
    else:
        interval = (len(own) * middle + OWN_WEIGHT * general) / (len(own) + OWN_WEIGHT)
    return Frequency(service_type, max(1, round(interval)), middle, general, len(days), days[-1])


def ratio(each: Frequency, today: date) -> float:
    """How much of the interval has passed since the last visit; 1 is due today."""
    return (today - each.last_visit).days / each.recommended_interval_days


def pull(each: Frequency, today: date) -> float:
    """How much it draws a person back: the more the later it is, until they seem to have given it up; less for what they had once."""
    late = ratio(each, today)
    return min(late, LATE) * min(1.0, LAPSED / late) * each.visits / (each.visits + 1) if late > 0 else 0.0
