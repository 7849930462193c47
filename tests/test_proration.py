"""What days on a plan cost: to the day, rounded once."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.proration import DAY, Period, Tariff, difference, period_from, rounded

DAYS = st.dates(date(2024, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("first", "months", "anchor", "last"),
    [
        ("2024-01-01", 12, None, "2024-12-31"),  # as the document shows it
        ("2026-11-20", 1, None, "2026-12-19"),
        ("2026-01-31", 1, None, "2026-02-27"),
        ("2026-02-28", 1, 31, "2026-03-30"),  # who joined on a 31st goes on with the 31st where there is one
        ("2024-02-29", 12, None, "2025-02-27"),
        ("2027-02-28", 12, 29, "2028-02-28"),
        ("2026-12-01", 1, None, "2026-12-31"),
    ],
)
def test_a_period_ends_the_day_before_the_next_begins(first: str, months: int, anchor: int | None, last: str) -> None:
    assert period_from(date.fromisoformat(first), months, anchor).last == date.fromisoformat(last)


@given(DAYS, st.integers(1, 24), st.integers(1, 36))
def test_renewals_follow_each_other_without_gap_and_come_back_to_the_same_day(first: date, months: int, times: int) -> None:
    period = period_from(first, months)
    for _ in range(times):
        after = period_from(period.last + DAY, months, first.day)
        assert after.days >= 28
        period = after
    assert (period.last + DAY).day == min(first.day, 31) or (period.last + DAY + DAY).month != (period.last + DAY).month


def test_the_whole_period_costs_the_difference_of_the_prices_and_the_last_day_one_day_of_it() -> None:
    period = period_from(date(2026, 1, 1), 12)
    cheap, dear = Tariff(Decimal("365.00"), 12), Tariff(Decimal("730.00"), 12)
    assert difference(cheap, dear, period, period.first, "USD").amount == Decimal("365.00")
    last = difference(cheap, dear, period, period.last, "USD")
    assert (last.days, last.unused, last.price, last.amount) == (1, Decimal("1.00"), Decimal("2.00"), Decimal("1.00"))


def test_plans_of_different_lengths_are_compared_by_the_day() -> None:
    period = period_from(date(2026, 1, 1), 12)
    found = difference(Tariff(Decimal("365.00"), 12), Tariff(Decimal("62.00"), 1), period, date(2026, 12, 22), "USD")
    assert (found.days, found.unused, found.price, found.amount) == (10, Decimal("10.00"), Decimal("20.00"), Decimal("10.00"))


MONEY = st.decimals(Decimal("0.00"), Decimal("99999.99"), places=2)


@given(MONEY, MONEY, DAYS, st.integers(1, 24), st.integers(1, 24), st.data(), st.sampled_from(["USD", "JPY"]))
def test_what_is_shown_explains_what_is_charged_and_is_off_by_less_than_one_unit(
    present: Decimal, other: Decimal, first: date, months: int, others: int, data: st.DataObject, currency: str
) -> None:
    period = period_from(first, months)
    today = first + timedelta(days=data.draw(st.integers(0, period.days - 1)))
    found = difference(Tariff(present, months), Tariff(other, others), period, today, currency)
    unit = Decimal(1) if currency == "JPY" else Decimal("0.01")
    exact = Fraction(other) * found.days / period_from(first, others).days - Fraction(present) * found.days / period.days
    assert found.price - found.unused == found.amount
    assert found.amount % unit == 0
    assert abs(Fraction(found.amount) - exact) <= Fraction(unit) / 2
    assert abs(Fraction(found.unused) - Fraction(present) * found.days / period.days) <= Fraction(unit)


@pytest.mark.parametrize(
    ("exact", "currency", "amount"),
    [
        ("0.005", "USD", "0.00"),
        ("0.015", "USD", "0.02"),
        ("-0.005", "USD", "0.00"),
        ("0.5", "JPY", "0"),
        ("1.5", "JPY", "2"),
        ("2.4", "JPY", "2"),
    ],
)
def test_half_a_unit_goes_to_the_even_one(exact: str, currency: str, amount: str) -> None:
    assert rounded(Fraction(exact), currency) == Decimal(amount)


def test_a_period_counts_both_ends() -> None:
    assert Period(date(2026, 1, 1), date(2026, 1, 1)).days == 1
