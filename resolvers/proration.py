"""What days on a plan cost: rules of the calendar, without a database."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from gateways.minor_units import smallest

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Days from the first to the last, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Tariff:
    """What a plan costs, and for how many months."""

    price: Decimal
    months: int


def period_from(first: date, months: int, anchor: int | None = None) -> Period:
    """The period that begins on a day; `anchor` is the day of the month on which the first period began, which short months move."""
    month = first.month - 1 + months
    year, month = first.year + month // 12, month % 12 + 1
    day = min(anchor or first.day, calendar.monthrange(year, month)[1])
    return Period(first, date(year, month, day) - DAY)


@dataclass(frozen=True)
class Difference:
    """What a change of plan costs for the days that are left, money rounded once."""

    days: int
    unused: Decimal
    """What the days that are left have cost on the present plan."""
    price: Decimal
    """What they cost on the other."""
    amount: Decimal
    """The difference; negative when the other plan costs less."""


def difference(present: Tariff, other: Tariff, period: Period, today: date, currency: str) -> Difference:
    """What moving to another plan today costs until the period ends; today counts."""
    days = (period.last - today).days + 1
    unused = Fraction(present.price) * days / period.days
    price = Fraction(other.price) * days / period_from(period.first, other.months).days
    amount = rounded(price - unused, currency)
    shown = rounded(price, currency)
    # Both parts are shown, so they must explain the amount: the second follows from it instead of being rounded by itself.
    return Difference(days, shown - amount, shown, amount)


def rounded(exact: Fraction, currency: str) -> Decimal:
    """An exact amount as it can be charged, half a cent to the even one."""
    unit = smallest(currency)
    units = exact / Fraction(unit)
    whole = units.numerator // units.denominator
    rest = units - whole
    whole += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1)
    return (whole * unit).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
