"""Whose face it is: the enrolled templates that may be meant are opened and compared, and every comparison is kept as a record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ColumnElement, select

from gateways.faces import Demands, Template
from models.faces import Face, FaceCheck, FaceUse
from models.identity import User
from resolvers.context import Context
from resolvers.sealing import Sealed, Unreadable, unseal

MOST_COMPARED = 1000
"""With more candidates than this a face alone says nothing any more."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Verdict:
    """What a comparison came to."""

    check: FaceCheck
    face_id: int | None
    template: str | None

    @property
    def user_id(self) -> int | None:
        """Whose face it is; nobody's when it was not accepted."""
        return self.check.user_id if self.check.is_accepted else None


async def recognise(ctx: Context, purpose: FaceUse, template: Template, *among: ColumnElement[bool]) -> Verdict:
    """Whose face it is among the people who may be meant, by the matcher's threshold and lead."""
    found = await ctx.fetch(
        select(Face.id, Face.user_id, Face.key_id, Face.template)
        .join(User, User.id == Face.user_id)
        .where(Face.matcher == template.matcher, User.is_active, *among)
        .order_by(Face.id)
        .limit(MOST_COMPARED)
    )
    opened = [(row, plain) for row in found if (plain := _opened(ctx, row)) is not None]
    scores = await ctx.gateways.faces.compare(template, [plain for _, plain in opened])
    best = judge(scores, demands := ctx.gateways.faces.demands(template.matcher))
    nearest = opened[best.nearest][0] if best.nearest is not None else None
    check = FaceCheck(
        purpose=purpose,
        matcher=template.matcher,
        user_id=nearest["user_id"] if nearest else None,
        compared=len(scores),
        likeness=best.likeness,
        runner_up=best.runner_up,
        threshold=demands.threshold,
        lead=demands.lead,
        is_accepted=best.is_accepted,
    )
    return Verdict(check, nearest["id"] if nearest else None, nearest["template"] if nearest else None)


@dataclass(frozen=True)
class Judgement:
    """Which of several was the most alike, and whether that is enough."""

    nearest: int | None
    likeness: float | None
    runner_up: float | None
    is_accepted: bool


def judge(scores: Sequence[float], demands: Demands) -> Judgement:
    """The most alike, if it is alike enough and clearly more so than the second."""
    if not scores:
        return Judgement(None, None, None, False)
    first, *others = sorted(range(len(scores)), key=lambda each: -scores[each])
    second = scores[others[0]] if others else None
    is_clear = second is None or scores[first] - second >= demands.lead
    return Judgement(first, scores[first], second, scores[first] >= demands.threshold and is_clear)


def about(face_id: int, user_id: int) -> str:
    """For which row and person a template is encrypted."""
    return f"face {face_id} of user {user_id}"


def _opened(ctx: Context, row: Any) -> bytes | None:
    """A template that can be compared; one whose key is lost matches nobody, and the others still do."""
    try:
        return unseal(ctx.settings, about(row["id"], row["user_id"]), Sealed(row["key_id"], row["template"]))
    except Unreadable as error:
        log.error("face.unreadable", reason=str(error))
        return None
