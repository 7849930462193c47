"""What is refused at the door."""

import pytest

from errors import BadUserInput
from resolvers.inputs.values import parse_email, parse_phone, parse_text, require_reachable


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("+1234567890", "+1234567890"),
        ("(555) 123-4567", "+15551234567"),
        ("+91 12345-67890", "+911234567890"),
        ("555.123.4567", "+15551234567"),
        ("+1234567", "+1234567"),
        ("+123456789012345", "+123456789012345"),
    ],
)
def test_every_spelling_of_a_phone_number_means_one(written: str, meant: str) -> None:
    assert parse_phone(written) == meant


def test_a_door_puts_its_own_country_in_front() -> None:
    assert parse_phone("98765 43210", country="91") == "+919876543210"


@pytest.mark.parametrize(
    "written", ["", "+", "call me", "+123456", "+1234567890123456", "++1234567890", "+12345x7890", "+١٢٣٤٥٦٧٨", "+1234567\x00"]
)
def test_what_is_no_phone_number_is_refused(written: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        parse_phone(written)
    assert "phone" in refusal.value.fields


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        (" ann@example.com ", "ann@example.com"),
        ("a@b.test", "a@b.test"),
        ("a@b.local", "a@b.local"),
    ],
)
def test_an_address_has_one_spelling(written: str, meant: str) -> None:
    assert parse_email(written) == meant


@pytest.mark.parametrize(
    "written",
    ["", "ann", "ann@", "@example.com", "ann@localhost", "a b@example.com", "a@b@example.com", "ann@x.invalid", "a\x00@example.com"],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        parse_email(written)
    assert "email" in refusal.value.fields


@pytest.mark.parametrize("name", ["ann@spa.test", "ann@printer.local"])
def test_addresses_of_trials_can_be_told_apart(name: str) -> None:
    with pytest.raises(BadUserInput):
        require_reachable(parse_email(name))
    require_reachable(parse_email("ann@example.com"))


@pytest.mark.parametrize("text", ["nul\x00", "half \ud800", "\udfff"])
def test_text_that_cannot_be_stored_is_refused(text: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        parse_text(text, "first_name")
    assert list(refusal.value.fields) == ["first_name"]
