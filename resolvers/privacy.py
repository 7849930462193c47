"""What people may ask about their own data: everything of it in one file, or that they be forgotten; the books stay."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import delete, func, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, Forbidden, NotFound
from models.accounts import DataRequest, DataRequestKind
from models.idempotency import IdempotencyKey
from models.identity import Role, Session, User
from models.keys import Key
from models.notifications import NotificationKind
from models.payments import Provider, SavedCard
from models.scheduling import Resource
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.identity import confirm_owner
from resolvers.inputs.values import parse_text
from resolvers.limits import limit
from resolvers.notifications import write
from resolvers.operations import SIGNED_IN, allow
from resolvers.personal_data import HOLDINGS, KEPT, Holding
from resolvers.sessions import EndReason, end_sessions

EXPORTS, ERASURES = "10/hour", "10/hour"
LONGEST_REASON = 500
MAY_ACT_FOR_OTHERS = frozenset({Role.SUPER_ADMIN, Role.ADMIN})


@dataclass
class PersonalData:
    """Everything that is held of a person, as the text of a JSON file."""

    json: str
    exported_at: datetime


@dataclass
class Erased:
    """A person was forgotten."""

    erased_at: datetime
    kept: list[str]


@allow(SIGNED_IN, sensitive=True)
async def export_personal_data(
    ctx: Context, *, user_id: Key[User] | None = None, password: str | None = None, reason: str | None = None
) -> PersonalData:
    """Everything that is held of the viewer, or for administrators of somebody who asked them; secrets are left out."""
    await limit(ctx, "export_personal_data", EXPORTS)
    whose, reason = await _meant(ctx, user_id, password, reason)
    held = {
        each.name: [{name: _spelled(value) for name, value in row.items()} for row in await ctx.fetch(_rows(each, whose))]
        for each in HOLDINGS
    }
    done = PersonalData(_file(ctx, whose, held), ctx.now())
    async with ctx.writing() as db:
        db.add(DataRequest(user_id=whose, kind=DataRequestKind.EXPORT, asked_by_id=ctx.viewer.id, reason=reason))
        answers(db, done)
    return done


@allow(SIGNED_IN, sensitive=True)
async def erase_account(
    ctx: Context, *, user_id: Key[User] | None = None, password: str | None = None, reason: str | None = None
) -> Erased:
    """Forget the viewer, or for administrators somebody who asked them, for good; what the books need stays without a name."""
    await limit(ctx, "erase_account", ERASURES)
    whose, reason = await _meant(ctx, user_id, password, reason)
    await _forget_cards(ctx, whose)
    now = ctx.now()
    done = Erased(now, [each.name for each in HOLDINGS if each.when_erased is KEPT])
    async with ctx.writing() as db:
        user = await db.scalar(select(User).where(User.id == whose, User.erased_at.is_(None)).with_for_update())
        if user is None:
            raise NotFound
        # Whoever books takes this lock too, so that nothing is begun between looking and forgetting.
        await db.execute(select(Resource.id).where(Resource.id == user.resource_id).with_for_update(key_share=True))
        await _refuse_unfinished(db, whose, now)
        address = user.email
        await end_sessions(db, EndReason.ERASED, Session.user_id == whose)
        for each in HOLDINGS:
            await _erase(db, each, whose)
        await db.execute(delete(IdempotencyKey).where(IdempotencyKey.scope == f"user:{whose}"))
        await db.execute(update(User).where(User.id == whose).values(erased_at=now))
        db.add(DataRequest(user_id=whose, kind=DataRequestKind.ERASURE, asked_by_id=ctx.viewer.id))
        if address is not None:
            await write(db, NotificationKind.ACCOUNT_ERASED, to=address, facts={})
        answers(db, done)
    return done


async def _meant(ctx: Context, user_id: Key[User] | None, password: str | None, reason: str | None) -> tuple[int, str | None]:
    """Whose data is asked for: one's own, confirmed by the password, or somebody's for whom an administrator acts with a reason."""
    if user_id is None:
        await confirm_owner(ctx, password)
        return ctx.viewer.id, None
    if not ctx.viewer.roles & MAY_ACT_FOR_OTHERS:
        raise Forbidden
    reason = parse_text(reason or "", "reason", longest=LONGEST_REASON)
    if not reason:
        raise BadUserInput(reason="Say why you act for somebody else.")
    found = await ctx.fetch(select(User.id).where(user_id.names(User), User.erased_at.is_(None)))
    if not found:
        raise NotFound
    return int(found[0]["id"]), reason


async def _refuse_unfinished(db: AsyncSession, whose: int, now: datetime) -> None:
    unfinished = {}
    for each in HOLDINGS:
        if each.unfinished is not None:
            counting = select(func.count()).select_from(each.table).where(each.of_person(whose), each.unfinished(now))
            if count := await db.scalar(counting):
                unfinished[each.name] = count
    if unfinished:
        raise Conflict("Something is still to come; cancel it or wait for its end first.", details={"unfinished": unfinished})


async def _forget_cards(ctx: Context, whose: int) -> None:
    """Let the provider forget the cards first: if it does not answer, nothing is erased, and it can be tried again."""
    cards = select(SavedCard.provider_id).where(SavedCard.user_id == whose, SavedCard.provider == Provider.STRIPE)
    for row in await ctx.fetch(cards):
        await ctx.gateways.stripe.detach_card(row["provider_id"])


async def _erase(db: AsyncSession, holding: Holding, whose: int) -> None:
    mine = holding.of_person(whose)
    quietly = {"synchronize_session": False}
    if holding.when_erased is not KEPT:
        await db.execute(delete(holding.table).where(mine), execution_options=quietly)
    elif holding.emptied:
        await db.execute(update(holding.table).where(mine).values(**holding.emptied), execution_options=quietly)


def _rows(holding: Holding, whose: int) -> Any:
    shown = [each for each in inspect(holding.table).columns if each.name not in holding.secret]
    return select(*shown).where(holding.of_person(whose)).order_by(holding.table.id)


def _spelled(value: Any) -> Any:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _file(ctx: Context, whose: int, held: dict[str, Any]) -> str:
    head = {"person": whose, "exported_at": _spelled(ctx.now())}
    data = {name: rows for name, rows in held.items() if rows}
    return orjson.dumps({**head, "data": data}, default=str, option=orjson.OPT_INDENT_2).decode()
