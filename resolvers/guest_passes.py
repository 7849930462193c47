"""Guests whom members bring along: as many passes a month as their plan grants, each good for one visit."""

import secrets
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Select, and_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound
from models.identity import STAFF, User
from models.keys import Key
from models.memberships import GUEST_PASS_MOVES, GuestPass, GuestPassStatus, Membership, MembershipCredit, Plan, is_current
from models.notifications import NotificationKind
from models.scheduling import house_day
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.values import EmailAddress, parse_text, require_reachable
from resolvers.letters import spell_date
from resolvers.limits import limit
from resolvers.memberships import counts_on, house_today
from resolvers.moves import move
from resolvers.notifications import write
from resolvers.operations import SIGNED_IN, allow

GOOD_FOR = timedelta(days=30)
LONGEST_NAME = 100
ISSUES = "20/day"
"""Far more than any plan grants; who withdraws and issues again and again would have us send mails to anybody."""
LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""None that is mistaken for another when it is read out at the door."""


@allow(SIGNED_IN)
def list_my_guest_passes(ctx: Context) -> Select[GuestPass]:
    """The passes that the viewer has issued, newest first."""
    mine = select(GuestPass).join(Membership, Membership.id == GuestPass.membership_id)
    return mine.where(Membership.user_id == ctx.viewer.id).order_by(GuestPass.id.desc())


@allow(SIGNED_IN)
async def issue_guest_pass(ctx: Context, *, guest_name: str, guest_email: EmailAddress | None = None) -> GuestPass:
    """Issue a pass for a guest, and mail it if an address is given; Conflict when this month's are used up."""
    name = parse_text(guest_name, "guest_name", longest=LONGEST_NAME)
    if not name:
        raise BadUserInput(guest_name="Say whom it is for.")
    if guest_email is not None and not ctx.settings.is_demo:
        require_reachable(guest_email, "guest_email")
    await limit(ctx, "issue_guest_pass", ISSUES)
    async with ctx.writing() as db:
        mine = select(Membership.id, Plan.guest_passes, Plan.name).join(Plan, Plan.id == Membership.plan_id)
        member = (await db.execute(mine.where(Membership.user_id == ctx.viewer.id, is_current(Membership)))).one_or_none()
        if member is None:
            raise NotFound("You are not a member.")
        today = await house_today(db)
        credit_id = await take_guest(db, member.id, today.replace(day=1), member.guest_passes)
        if credit_id is None:
            raise Conflict("No guest pass is left this month.")
        made = GuestPass(
            membership_id=member.id,
            credit_id=credit_id,
            code=_code(),
            guest_name=name,
            guest_email=guest_email,
            good_until=today + GOOD_FOR,
        )
        db.add(made)
        await db.flush()
        if guest_email is not None:
            host = await db.get_one(User, ctx.viewer.id)
            facts = {"guest": name, "host": host.first_name, "good_until": spell_date(made.good_until), "code": made.code}
            await write(db, NotificationKind.GUEST_INVITED, to=guest_email, facts=facts, code=made.code)
        answers(db, made)
    return made


@allow(SIGNED_IN)
async def withdraw_guest_pass(ctx: Context, *, id: Key[GuestPass]) -> GuestPass:
    """Take back a pass that nobody has used; another may be issued for it within the same month."""
    async with ctx.writing() as db:
        found: GuestPass | None = await db.scalar(list_my_guest_passes(ctx).where(id.names(GuestPass)))
        if found is None:
            raise NotFound
        await move(db, found, GuestPassStatus.WITHDRAWN, GUEST_PASS_MOVES)
        back = update(MembershipCredit).where(MembershipCredit.id == found.credit_id, MembershipCredit.guests > 0)
        await db.execute(back.values(guests=MembershipCredit.guests - 1), execution_options={"synchronize_session": False})
        answers(db, found)
    return found


@allow(*STAFF)
async def use_guest_pass(ctx: Context, *, code: str) -> GuestPass:
    """Let a guest in: the pass with this code is used up, once."""
    async with ctx.writing() as db:
        found = await db.scalar(select(GuestPass).where(GuestPass.code == parse_text(code, "code").upper()))
        if found is None:
            raise NotFound("There is no such guest pass.")
        today = await house_today(db)
        if found.status is GuestPassStatus.ISSUED and found.good_until < today:
            raise Conflict("This guest pass was good until yesterday or longer ago.")
        if not counts_on(await db.get_one(Membership, found.membership_id), today):
            raise Conflict("The membership that it belongs to has ended.")
        await move(db, found, GuestPassStatus.USED, GUEST_PASS_MOVES)
        found.used_at, found.used_by = ctx.now(), ctx.viewer.id
        answers(db, found)
    return found


def is_good(guest_pass: type[GuestPass], ctx: Context) -> ColumnElement[bool]:
    """Whether a pass still lets a guest in."""
    return and_(guest_pass.status == GuestPassStatus.ISSUED, guest_pass.good_until >= house_day(ctx.moment()))


async def take_guest(db: AsyncSession, membership_id: int, month: date, granted: int) -> int | None:
    """Use one of the month's guest passes; none when all are used, however many try at once."""
    if granted == 0:
        return None
    taken = insert(MembershipCredit).values(membership_id=membership_id, month=month, guests=1)
    return await db.scalar(
        taken.on_conflict_do_update(
            index_elements=["membership_id", "month"], set_={"guests": MembershipCredit.guests + 1}, where=MembershipCredit.guests < granted
        ).returning(MembershipCredit.id)
    )


def _code() -> str:
    letters = [secrets.choice(LETTERS) for _ in range(8)]
    return f"GP-{''.join(letters[:4])}-{''.join(letters[4:])}"
