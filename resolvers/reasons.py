"""Why something is recommended, in words."""

from datetime import date

from resolvers.rhythms import OWN_WEIGHT, Frequency

WELL_RATED = 5
"""From so many ratings on, their average is told."""
WEEKS_FROM, MONTHS_FROM = 14, 60
"""From so many days on, they are told as weeks where they are whole ones, or as months."""


def reminder(each: Frequency, today: date) -> str:
    """That it is time to come back."""
    return f"It has been {_since(each, today)} since your last {_words(each.service_type)}; {_habit(each)} - time for the next?"


def due(each: Frequency | None, today: date) -> str:
    """That something is due, or nearly so."""
    assert each is not None  # noqa: S101 - only what has a rhythm can be due
    return f"Your last {_words(each.service_type)} was {_since(each, today)} ago; {_habit(each)}."


def pair(name: str | None, share: float) -> str:
    """What others have with a service that the person knows."""
    return f"{max(1, round(100 * share))} of 100 guests of {name} have it within a week as well."


def favorite(service_type: str) -> str:
    """That the person named this kind of treatment."""
    return f"{_words(service_type).capitalize()} is among your favorites."


def scent(name: str | None) -> str:
    """That the person named a scent which goes with it."""
    return f"It comes with {name}, one of your favorite scents."


def fame(guests: int, ratings: int, stars: int, *, is_new: bool) -> str:
    """What others think of it."""
    end = ", and you have not tried it yet." if is_new else "."
    if ratings >= WELL_RATED:
        return f"Guests rated it {stars / ratings:.1f} of 5, {ratings} times{end}"
    return f"{guests} {'guest' if guests == 1 else 'guests'} had it in the last two years{end}"


def liked_before(service_type: str) -> str:
    """A sentence more, where an earlier recommendation was accepted."""
    return f" You liked our advice about {_words(service_type)} before."


def _habit(each: Frequency) -> str:
    whose = "you usually come" if each.visits > OWN_WEIGHT else "guests usually return"
    return f"{whose} after {_days(each.recommended_interval_days)}"


def _since(each: Frequency, today: date) -> str:
    return _days((today - each.last_visit).days)


def _days(number: int) -> str:
    if number >= MONTHS_FROM:
        return f"{round(number / 30.4)} months"
    if number >= WEEKS_FROM and number % 7 == 0:
        return f"{number // 7} weeks"
    return "1 day" if number == 1 else f"{number} days"


def _words(service_type: str) -> str:
    return service_type.replace("_", " ")
