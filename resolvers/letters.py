"""How messages are worded: one template per kind gives subject, text and HTML of the mail, and the few words for app, SMS and push."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import jinja2
from markupsafe import Markup, escape
from mjml import mjml2html

from models.notifications import NotificationKind

HOUSE = "CoreSync"
TEMPLATES = Path(__file__).parent / "templates"
EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")


@dataclass(frozen=True)
class Letter:
    """One message in every form that it may take."""

    subject: str
    title: str
    notice: str
    """The whole message in one sentence or two, for the app, for SMS and for pushes."""
    text: str
    html: str


class Page(Protocol):
    """What a template builds its mail from, so that text and HTML say the same."""

    def say(self, text: str) -> str:
        """A paragraph."""

    def table(self, rows: Sequence[tuple[str, str]]) -> str:
        """Facts with their names; those without a value are left out."""

    def button(self, label: str, url: str | None) -> str:
        """A link that wants to be followed; nothing where there is no address."""

    def code(self, code: str) -> str:
        """A code that is to be copied."""


class TextPage:
    """A mail as plain text."""

    def say(self, text: str) -> str:
        return f"{text}\n\n"

    def table(self, rows: Sequence[tuple[str, str]]) -> str:
        width = max(len(name) for name, _ in rows) + 1
        return "".join(f"  {name + ':':<{width}} {value}\n" for name, value in rows if value) + "\n"

    def button(self, label: str, url: str | None) -> str:
        return f"{label}: {url}\n\n" if url else ""

    def code(self, code: str) -> str:
        return f"  {code}\n\n"


class HtmlPage:
    """A mail as MJML, which becomes HTML that every mail program shows."""

    def say(self, text: str) -> str:
        return Markup("<mj-text>{}</mj-text>").format(Markup("<br/>").join(escape(line) for line in text.split("\n")))

    def table(self, rows: Sequence[tuple[str, str]]) -> str:
        cell = Markup('<tr><td style="padding:4px 16px 4px 0;color:#6b6459">{}</td><td style="padding:4px 0">{}</td></tr>')
        return Markup("<mj-table>{}</mj-table>").format(Markup("").join(cell.format(name, value) for name, value in rows if value))

    def button(self, label: str, url: str | None) -> str:
        return Markup('<mj-button href="{}">{}</mj-button>').format(url, label) if url else ""

    def code(self, code: str) -> str:
        return Markup('<mj-text font-size="28px" letter-spacing="4px" font-weight="bold">{}</mj-text>').format(code)


def _environment(*, is_html: bool) -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=is_html, undefined=jinja2.StrictUndefined, auto_reload=False)  # noqa: S701 - plain text


TEXT, HTML = _environment(is_html=False), _environment(is_html=True)
TEXT_PAGE, HTML_PAGE = TextPage(), HtmlPage()


def write_letter(
    kind: NotificationKind, facts: Mapping[str, Any], *, link: str | None = None, unsubscribe_url: str | None = None
) -> Letter:
    """Word a message; a fact that its template needs and does not get is a mistake of ours, and raises."""
    known = {**facts, "house": HOUSE, "link": link}
    words = {name: " ".join(_part(TEXT, kind, name, known, TEXT_PAGE).split()) for name in ("subject", "title", "notice")}
    foot = {"unsubscribe_url": unsubscribe_url, "house": HOUSE}
    text = EMPTY_LINES.sub("\n\n", _part(TEXT, kind, "body", known, TEXT_PAGE)).strip("\n")
    body = Markup(_part(HTML, kind, "body", known, HTML_PAGE))  # noqa: S704 - an escaping template's own output
    framed = HTML.get_template("frame.mjml").render(**foot, **words, body=body)
    return Letter(
        **words,
        text=f"{text}\n\n{TEXT.get_template('frame.txt').render(**foot)}".strip() + "\n",
        html=mjml2html(framed, fonts={}),  # no font is fetched from anywhere
    )


def _part(environment: jinja2.Environment, kind: NotificationKind, name: str, facts: Mapping[str, Any], page: Page) -> str:
    return environment.get_template(f"{kind}.jinja").render(facts, part=name, page=page)


def spell_day(day: date) -> str:
    """Friday, 15 January 2027."""
    return f"{day:%A}, {day.day} {day:%B %Y}"


def spell_date(day: date) -> str:
    """15 January 2027."""
    return f"{day.day} {day:%B %Y}"


def spell_hour(moment: datetime) -> str:
    """2:00 PM."""
    return f"{moment:%I:%M %p}".lstrip("0")


def spell_money(amount: Decimal, currency: str) -> str:
    """187.50 USD."""
    return f"{amount:.2f} {currency}"
