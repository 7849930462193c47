"""What an operation of a subscription returns: not the events, but which events, as a read returns which rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from resolvers.context import Context

if TYPE_CHECKING:
    from subscriptions.log import Record

E = TypeVar("E")


@dataclass(frozen=True)
class Following(Generic[E]):
    """Topics of the event log that the viewer may follow now, and how an event of them is shown.

    The operation is asked again every few seconds while somebody follows, so that it is also the check at delivery.
    """

    topics: frozenset[str]
    show: "Callable[[Context, Record], E | None]"
    """What the viewer gets of an event, read with their rights at that moment; nothing for kinds that are not meant."""
    since: datetime | None = None
    """Earlier events are not the viewer's, whatever cursor they bring."""
