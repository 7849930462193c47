"""Amounts as payment providers count them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.minor_units import THREE_DECIMAL, WHOLE, ZERO_DECIMAL, from_minor, to_minor

CURRENCIES = ["USD", "EUR", "INR", "JPY", "KRW", "ISK", "UGX", "KWD", "BHD"]


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("200.00", "USD", 20000),
        ("0.01", "usd", 1),
        ("1500", "JPY", 1500),
        ("1500.00", "jpy", 1500),
        ("5", "UGX", 500),
        ("1.25", "KWD", 1250),
        ("0", "USD", 0),
    ],
)
def test_an_amount_becomes_a_whole_number(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor
    assert from_minor(minor, currency) == Decimal(amount)


@pytest.mark.parametrize(("amount", "currency"), [("0.5", "JPY"), ("1.001", "USD"), ("1.50", "ISK"), ("1.255", "KWD")])
def test_an_amount_that_a_currency_does_not_have_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=currency):
        to_minor(Decimal(amount), currency)


@given(st.integers(0, 10**10), st.sampled_from(CURRENCIES))
def test_whatever_can_be_counted_comes_back_as_it_was(cents: int, currency: str) -> None:
    amount = Decimal(cents) if currency in WHOLE else Decimal(cents).scaleb(-2)
    assert from_minor(to_minor(amount, currency), currency) == amount


@given(st.decimals(0, 10**8, places=3), st.sampled_from(CURRENCIES))
def test_nothing_is_ever_rounded(amount: Decimal, currency: str) -> None:
    try:
        minor = to_minor(amount, currency)
    except ValueError:
        return
    assert from_minor(minor, currency) == amount


def test_no_currency_is_counted_in_two_ways() -> None:
    assert not ZERO_DECIMAL & THREE_DECIMAL
