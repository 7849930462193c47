"""Forms of the website: anybody may send them, and nothing is sent back to an address that a stranger typed in."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, NotFound
from jobs.queue import enqueue
from models.forms import FORM_MOVES, FormKind, FormStatus, FormSubmission
from models.identity import Role, User, UserRole
from models.keys import Key
from models.notifications import NotificationKind
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.forms import ContactInput, FormFilter, FormOrder, MembershipInquiryInput
from resolvers.inputs.values import LONGEST_NAME, parse_text
from resolvers.limits import limit
from resolvers.moves import move
from resolvers.notifications import notify
from resolvers.operations import ANYONE, allow
from subscriptions.facts import announce
from subscriptions.forms import FormHandled, FormReceived

CLERKS = (Role.SUPER_ADMIN, Role.ADMIN, Role.SUPPORT)
PER_CALLER, PER_ADDRESS = "10/hour", "10/day"
LONGEST_MESSAGE, LONGEST_WORD, MOST_SERVICES = 5000, 200, 20
MOST_LINKS = 3
LINK = re.compile(r"https?://|www\.|\[url", re.IGNORECASE)
SAME_WITHIN = timedelta(days=1)
FORM_NAMES = {FormKind.CONTACT: "message", FormKind.MEMBERSHIP_INQUIRY: "membership inquiry"}


@dataclass(frozen=True)
class FormAccepted:
    """That a form arrived, and under which reference; nothing else is told to whoever sent it."""

    submission_id: str


@allow(ANYONE)
async def submit_contact_form(ctx: Context, *, input: ContactInput) -> FormAccepted:
    """Write to the house; ten times an hour at most."""
    form = FormSubmission(
        kind=FormKind.CONTACT,
        name=_required(input.name, "name", LONGEST_NAME),
        email=input.email,
        phone=input.phone,
        message=_required(input.message, "message", LONGEST_MESSAGE),
        source=parse_text(input.source, "source", longest=LONGEST_WORD),
    )
    return await _keep(ctx, form, is_machine=bool(input.website.strip()))


@allow(ANYONE)
async def submit_membership_inquiry(ctx: Context, *, input: MembershipInquiryInput) -> FormAccepted:
    """Ask about a membership; ten times an hour at most."""
    services = input.preferred_services or []
    if len(services) > MOST_SERVICES:
        raise BadUserInput(preferred_services=f"At most {MOST_SERVICES}.")
    first = _required(input.first_name, "first_name", LONGEST_NAME)
    form = FormSubmission(
        kind=FormKind.MEMBERSHIP_INQUIRY,
        name=f"{first} {parse_text(input.last_name, 'last_name', longest=LONGEST_NAME)}".strip(),
        email=input.email,
        phone=input.phone,
        message=parse_text(input.message, "message", longest=LONGEST_MESSAGE),
        interested_plan=parse_text(input.interested_plan, "interested_plan", longest=LONGEST_WORD) or None,
        interest_level=parse_text(input.interest_level, "interest_level", longest=LONGEST_WORD) or None,
        preferred_services=[parse_text(each, "preferred_services", longest=LONGEST_WORD) for each in services],
        heard_about_us=parse_text(input.how_heard_about_us, "how_heard_about_us", longest=LONGEST_WORD) or None,
    )
    return await _keep(ctx, form, is_machine=bool(input.website.strip()))


@allow(*CLERKS)
def list_form_submissions(ctx: Context, *, filter: FormFilter | None = None, order: FormOrder = FormOrder.NEWEST) -> Select[FormSubmission]:
    """What people wrote; spam only when it is asked for."""
    found = select(FormSubmission).order_by(FormSubmission.id.desc() if order is FormOrder.NEWEST else FormSubmission.id)
    wanted = filter or FormFilter()
    found = found.where(FormSubmission.status == wanted.status if wanted.status else FormSubmission.status != FormStatus.SPAM)
    if wanted.kind is not None:
        found = found.where(FormSubmission.kind == wanted.kind)
    if wanted.search:
        columns = (FormSubmission.name, FormSubmission.email, FormSubmission.message)
        found = found.where(or_(*(each.icontains(wanted.search, autoescape=True) for each in columns)))
    return found


@allow(*CLERKS)
def get_form_submission(ctx: Context, *, id: Key[FormSubmission]) -> Select[FormSubmission]:
    """One form that somebody has sent."""
    return select(FormSubmission).where(id.names(FormSubmission))


@allow(*CLERKS)
async def handle_form_submission(
    ctx: Context, *, id: Key[FormSubmission], status: FormStatus | None = None, note: str | None = None
) -> FormSubmission:
    """Move a form to another state, or note something about it."""
    if status is None and note is None:
        raise BadUserInput(status="Say what is to change.")
    async with ctx.writing() as db:
        form = await db.scalar(select(FormSubmission).where(id.names(FormSubmission)).with_for_update())
        if form is None:
            raise NotFound
        if status is not None and status is not form.status:
            await move(db, form, status, FORM_MOVES)
        if note is not None:
            form.note = parse_text(note, "note", longest=LONGEST_MESSAGE)
        form.handled_by_id, form.handled_at = ctx.viewer.id, ctx.now()
        await announce(db, FormHandled(form))
        answers(db, form)
    return form


async def tell_staff_of_form(ctx: Context, form_id: int) -> None:
    """Tell everybody who looks after forms of a new one."""
    clerks = select(User.id).join(UserRole).where(User.is_active, UserRole.is_approved, UserRole.role.in_(CLERKS)).distinct()
    async with ctx.writing() as db:
        form = await db.get(FormSubmission, form_id)
        if form is None:
            return
        facts = {
            "reference": form.reference,
            "form": FORM_NAMES[form.kind],
            "name": form.name,
            "email": form.email,
            "phone": form.phone or "",
            "about": ", ".join(filter(None, [form.interested_plan, form.interest_level, *form.preferred_services])),
            "message": form.message,
        }
        for each in (await db.scalars(clerks.order_by(User.id))).all():
            cause = f"form:{form.id}:{each}"
            await notify(db, each, NotificationKind.FORM_RECEIVED, facts, cause=cause, action_url=f"/forms/{form.id}")


async def _keep(ctx: Context, form: FormSubmission, *, is_machine: bool) -> FormAccepted:
    """Store a form and have the staff told; what looks like spam is stored aside, and its sender told the same."""
    await limit(ctx, f"form {form.kind}", PER_CALLER)
    await limit(ctx, f"form {form.kind} of", PER_ADDRESS, by=f"mail:{form.email}")
    form.user_id = ctx.viewer.user_id
    form.fingerprint = _fingerprint(ctx, form)
    async with ctx.writing() as db:
        if is_machine or len(LINK.findall(form.message)) > MOST_LINKS or await _is_repeated(db, form, ctx.now()):
            form.status = FormStatus.SPAM
        db.add(form)
        await db.flush()
        await db.refresh(form, ["reference"])
        if form.status is FormStatus.NEW:
            await announce(db, FormReceived(form))
            await enqueue(db, "tell_staff_of_form", {"form_id": form.id})
        accepted = FormAccepted(form.reference)
        answers(db, accepted)
    return accepted


async def _is_repeated(db: AsyncSession, form: FormSubmission, now: datetime) -> bool:
    """Whether the same was written a moment ago, by whomever: people write once."""
    same = select(func.count()).where(FormSubmission.fingerprint == form.fingerprint, FormSubmission.created_at > now - SAME_WITHIN)
    return bool(await db.scalar(same))


def _fingerprint(ctx: Context, form: FormSubmission) -> str:
    """A keyed hash of what was written, blanks and capitals aside; of an inquiry without words, of who wrote."""
    said = " ".join((form.message or f"{form.email} {form.interested_plan}").lower().split())
    key = ctx.settings.encryption_key.get_secret_value().encode()
    return hmac.new(key, f"{form.kind} {said}".encode(), hashlib.sha256).hexdigest()


def _required(text: str, field: str, longest: int) -> str:
    found = parse_text(text, field, longest=longest)
    if not found:
        raise BadUserInput(**{field: "This field is required"})
    return found
