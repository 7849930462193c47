"""Rules of RFC 5545 by which sessions recur: read, bounded, and worked out in the local time in which they are meant."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, islice
from typing import Self
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from errors import BadUserInput

LONGEST_RULE, LONGEST_PAUSE, MOST = 200, 366, 100
PART = re.compile(r"(FREQ|INTERVAL|COUNT|UNTIL|BYDAY|BYMONTHDAY|BYMONTH|BYSETPOS|WKST)=([A-Z0-9,+-]+)")
"""Parts that say on which days; those that say hours, and those by which days are found slowly, are not taken."""
FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
OF_MONTHS = frozenset({"MONTHLY", "YEARLY"})


@dataclass(frozen=True)
class Recurrence:
    """A rule with its parts in their order."""

    parts: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rule such as FREQ=WEEKLY;BYDAY=MO,WE; BadUserInput says what is wrong with any other text."""
        text = text.strip().upper().removeprefix("RRULE:")
        if len(text) > LONGEST_RULE:
            raise BadUserInput(recurrence=f"A rule has {LONGEST_RULE} characters at most.")
        found = [PART.fullmatch(each) for each in text.rstrip(";").split(";")]
        parts = tuple((each[1], each[2]) for each in found if each)
        if len(parts) != len(found) or len(dict(parts)) != len(parts):
            raise BadUserInput(recurrence="This is not a rule such as FREQ=WEEKLY;BYDAY=MO;COUNT=10.")
        recurrence = cls(parts)
        recurrence._check()
        return recurrence

    def _check(self) -> None:
        named = dict(self.parts)
        if named.get("FREQ") not in FREQUENCIES:
            raise BadUserInput(recurrence="FREQ is DAILY, WEEKLY, MONTHLY or YEARLY.")
        if not re.fullmatch(r"\d{1,3}", named.get("INTERVAL", "1")) or not 1 <= int(named.get("INTERVAL", "1")) <= LONGEST_PAUSE:
            raise BadUserInput(recurrence=f"INTERVAL is 1 to {LONGEST_PAUSE}.")
        if {"COUNT", "UNTIL"} <= named.keys():
            raise BadUserInput(recurrence="Give either COUNT or UNTIL.")
        # Combinations that never come true take long to find out.
        if named["FREQ"] not in OF_MONTHS and named.keys() & {"BYMONTHDAY", "BYSETPOS", "BYMONTH"}:
            raise BadUserInput(recurrence="BYMONTH, BYMONTHDAY and BYSETPOS go with FREQ=MONTHLY or FREQ=YEARLY.")
        try:
            self._rule(datetime(2026, 1, 1))
        except (ValueError, TypeError, IndexError):
            raise BadUserInput(recurrence="This is not a rule such as FREQ=WEEKLY;BYDAY=MO;COUNT=10.") from None

    def _rule(self, local_start: datetime) -> rrule:
        rule = rrulestr(str(self.without("UNTIL")), dtstart=local_start)
        assert isinstance(rule, rrule)  # noqa: S101 - a set needs several lines
        return rule

    def without(self, *names: str) -> "Recurrence":
        """The rule without some of its parts."""
        return replace(self, parts=tuple(each for each in self.parts if each[0] not in names))

    def until(self, moment: datetime) -> "Recurrence":
        """The rule, ending at a moment."""
        kept = self.without("COUNT", "UNTIL")
        return replace(kept, parts=(*kept.parts, ("UNTIL", f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}")))

    def after(self, passed: int) -> "Recurrence":
        """The rule once so many of its occurrences have passed."""
        counted = [(name, str(int(value) - passed) if name == "COUNT" else value) for name, value in self.parts]
        return replace(self, parts=tuple(counted))

    def __str__(self) -> str:
        return ";".join(f"{name}={value}" for name, value in self.parts)

    async def occurrences(self, starts_at: datetime, zone: ZoneInfo, before: datetime, *, since: datetime | None = None) -> list[datetime]:
        """When it recurs from its start on, always at the same hour of the clock there; BadUserInput when that is too often."""
        later = dropwhile(lambda each: since is not None and each < since, self._moments(starts_at, zone, before))
        found = await asyncio.to_thread(lambda: list(islice(later, MOST + 1)))
        if len(found) > MOST:
            raise BadUserInput(recurrence=f"That is more than {MOST} times in the time ahead.")
        return found

    async def count(self, starts_at: datetime, zone: ZoneInfo, before: datetime) -> int:
        """How often it takes place before a moment."""
        return await asyncio.to_thread(lambda: sum(1 for _ in self._moments(starts_at, zone, before)))

    def _moments(self, starts_at: datetime, zone: ZoneInfo, before: datetime) -> Iterator[datetime]:
        last = self._last(zone)
        for local in self._rule(starts_at.astimezone(zone).replace(tzinfo=None)):
            moment = local.replace(tzinfo=zone).astimezone(UTC)
            if moment >= before or (last is not None and moment > last):
                return
            yield moment

    def _last(self, zone: ZoneInfo) -> datetime | None:
        text = dict(self.parts).get("UNTIL")
        if text is None:
            return None
        for form, tz in (("%Y%m%dT%H%M%SZ", UTC), ("%Y%m%dT%H%M%S", zone)):
            try:
                return datetime.strptime(text, form).replace(tzinfo=tz)
            except ValueError:
                continue
        try:
            return datetime.strptime(text, "%Y%m%d").replace(tzinfo=zone) + timedelta(days=1) - timedelta(seconds=1)
        except ValueError:
            raise BadUserInput(recurrence="UNTIL is a day or a moment, such as 20261231 or 20261231T120000Z.") from None
