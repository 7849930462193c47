"""How messages are worded: every kind in every form, and nothing that a stranger wrote becomes part of the page."""

import httpx2
import jinja2
import pytest

from models.database import Database
from models.identity import Role
from models.notifications import RULES, NotificationKind
from resolvers.letters import TEMPLATES, write_letter
from resolvers.samples import SAMPLES
from settings import Settings
from tests.telling import person

PREVIEW = "query ($kind: NotificationKind!, $facts: JSON) { letterPreview(kind: $kind, facts: $facts) { subject title notice text html } }"


def test_every_kind_has_its_rule_its_template_and_its_sample() -> None:
    kinds = set(NotificationKind)
    assert set(RULES) == set(SAMPLES) == kinds
    shared = {"letter", "booking", "event", "membership", "purchase"}
    assert {each.stem for each in TEMPLATES.glob("*.jinja")} == {each.value for each in kinds} | shared


@pytest.mark.parametrize("kind", NotificationKind)
def test_every_kind_is_worded_in_every_form(kind: NotificationKind) -> None:
    letter = write_letter(kind, SAMPLES[kind], link="https://app.example.com/x", unsubscribe_url="https://api.example.com/u?token=t")
    for part in (letter.subject, letter.title, letter.notice):
        assert part
        assert "\n" not in part
        assert "{" not in part
    assert len(letter.notice) <= 320, "two text messages"
    assert "https://api.example.com/u?token=t" in letter.text
    assert 'href="https://api.example.com/u?token=t"' in letter.html
    assert "<mj-" not in letter.html
    assert "http://fonts" not in letter.html
    assert "https://fonts" not in letter.html
    for fact in SAMPLES[kind].values():
        if isinstance(fact, str) and fact and kind is not NotificationKind.SECURITY_CODE:
            assert fact in letter.text or fact in letter.subject or fact in letter.notice, fact


@pytest.mark.parametrize("kind", [each for each in NotificationKind if SAMPLES[each]])
def test_a_fact_that_is_missing_is_a_mistake_and_not_a_gap_in_the_mail(kind: NotificationKind) -> None:
    for name in SAMPLES[kind]:
        with pytest.raises(jinja2.UndefinedError):
            write_letter(kind, {key: value for key, value in SAMPLES[kind].items() if key != name})


def test_what_people_are_called_is_text_and_not_markup() -> None:
    evil = "<script>alert(1)</script>{{ 7 * 7 }}<mj-include path='/etc/passwd' />"
    letter = write_letter(NotificationKind.BOOKING_RECEIVED, {**SAMPLES[NotificationKind.BOOKING_RECEIVED], "first_name": evil})
    assert "<script>" not in letter.html
    assert "&lt;script&gt;" in letter.html
    assert "{{ 7 * 7 }}" in letter.html
    assert "root:" not in letter.html
    assert evil in letter.text


def test_text_and_html_say_the_same_facts_in_order() -> None:
    letter = write_letter(NotificationKind.BOOKING_REMINDER, SAMPLES[NotificationKind.BOOKING_REMINDER], link="https://app.example.com/b/1")
    assert letter.text.splitlines()[4:7] == [
        "  Reference: CS-2026-123",
        "  Service:   AI Massage Therapy",
        "  Day:       Friday, 15 January 2027",
    ]
    assert "See your booking: https://app.example.com/b/1" in letter.text
    assert letter.html.index("CS-2026-123") < letter.html.index("AI Massage Therapy</td>") < letter.html.index("187.50 USD")


async def test_staff_see_how_a_message_looks_and_nobody_else(client: httpx2.AsyncClient, database: Database, settings: Settings) -> None:
    staff, _ = await person(client, database, settings, Role.SUPPORT)
    guest, _ = await person(client, database, settings)
    shown = (await staff.data(PREVIEW, kind="BOOKING_MOVED", facts={"first_name": "Zoë", "unknown": "x"}))["letterPreview"]
    assert shown["subject"] == "Your booking CS-2026-123 is moved: AI Massage Therapy"
    assert "Dear Zoë," in shown["text"]
    assert "<html" in shown["html"]
    assert await guest.code(PREVIEW, kind="BOOKING_MOVED") == "FORBIDDEN"


def test_what_people_wrote_is_escaped_once_wherever_it_stands() -> None:
    facts = {**SAMPLES[NotificationKind.MEMBERSHIP_PAYMENT_FAILED], "reason": "Tom's & Ann's card."}
    letter = write_letter(NotificationKind.MEMBERSHIP_PAYMENT_FAILED, facts)
    assert "Tom's & Ann's card." in letter.text
    assert "Tom&#39;s &amp; Ann&#39;s card." in letter.html
