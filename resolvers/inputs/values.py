"""Values that are checked before anything is done with them: e-mail addresses, phone numbers, plain text."""

import re
from typing import NewType

import email_validator

from errors import BadUserInput

EmailAddress = NewType("EmailAddress", str)
PhoneNumber = NewType("PhoneNumber", str)

HOME_COUNTRY = "1"
"""What stands in front of a phone number without + where a door names no country of its own."""

TRIAL_DOMAINS = ("local", "test")
"""Reserved names that lead nowhere; only operations can tell whether this server is one for trials."""

for _name in TRIAL_DOMAINS:
    email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(_name)

UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")
LONGEST_NAME = 150
PHONE_SEPARATORS = str.maketrans("", "", " ()-.\u00a0")
PHONE = re.compile(r"\+[0-9]{7,15}")


def parse_text(text: str, field: str, *, longest: int | None = None) -> str:
    """The text without blanks around it; BadUserInput when it holds what cannot be stored, or too much."""
    if UNPRINTABLE.search(text):
        raise BadUserInput(**{field: "This text holds characters that cannot be stored."})
    text = text.strip()
    if longest is not None and len(text) > longest:
        raise BadUserInput(**{field: f"At most {longest} characters are allowed."})
    return text


def parse_email(text: str, field: str = "email") -> EmailAddress:
    """The address in lower case, since two spellings never mean two people; BadUserInput when it is none."""
    try:
        found = email_validator.validate_email(parse_text(text, field), check_deliverability=False)
    except email_validator.EmailNotValidError:
        raise BadUserInput(**{field: "Enter a valid e-mail address."}) from None
    return EmailAddress(found.normalized.lower())


def require_reachable(email: EmailAddress, field: str = "email") -> None:
    """Refuse addresses under names that only trials use."""
    if email.rpartition(".")[2] in TRIAL_DOMAINS:
        raise BadUserInput(**{field: "This e-mail address cannot receive mail."})


def parse_phone(text: str, field: str = "phone", *, country: str = HOME_COUNTRY) -> PhoneNumber:
    """The number as + and digits; `country` is put in front of one without +, BadUserInput when it is none."""
    number = parse_text(text, field).translate(PHONE_SEPARATORS)
    if not number.startswith("+"):
        number = f"+{country}{number}"
    if not PHONE.fullmatch(number):
        raise BadUserInput(**{field: "Invalid phone number format"})
    return PhoneNumber(number)
