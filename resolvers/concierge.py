"""The concierge: what people want found, and how staff find it."""

import re
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound
from jobs.queue import enqueue
from models.concierge import CONCIERGE_MOVES, ConciergeNote, ConciergeRequest, ConciergeStatus
from models.identity import STAFF, User, UserRole
from models.keys import Key
from models.scheduling import house_day
from resolvers.context import Context, Viewer
from resolvers.idempotency import answers
from resolvers.inputs.concierge import ConciergeFilter, ConciergeInput, ConciergePatch
from resolvers.inputs.values import parse_text
from resolvers.limits import limit
from resolvers.moves import move
from resolvers.operations import SIGNED_IN, STAFF_ROLES, allow
from subscriptions.concierge import ConciergeChanged, ConciergeMoved, ConciergeRequested
from subscriptions.facts import announce

REQUESTS = "60/hour"
LONGEST, LONGEST_URL = 2000, 2000
URL = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)
OPEN = (ConciergeStatus.RECEIVED, ConciergeStatus.SOURCING, ConciergeStatus.ORDERED, ConciergeStatus.READY)
CLOSED = (ConciergeStatus.FULFILLED, ConciergeStatus.DECLINED, ConciergeStatus.CANCELLED)
AGREED = (ConciergeStatus.ORDERED, ConciergeStatus.READY, ConciergeStatus.FULFILLED)
USUAL_DAYS, SPARE_DAYS = 7, 2
"""How long finding something takes when no day is named; and how long before the day on which it is needed the house wants to have it."""

SAID = {
    ConciergeStatus.RECEIVED: "We'll source this item for you",
    ConciergeStatus.SOURCING: "We are looking for it",
    ConciergeStatus.ORDERED: "We found it and have ordered it",
    ConciergeStatus.READY: "It is here and waits for you",
    ConciergeStatus.FULFILLED: "You have it",
    ConciergeStatus.DECLINED: "We could not find it",
    ConciergeStatus.CANCELLED: "You do not want it any more",
}


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """The requests that a viewer may see: their own, or all for the staff."""
    return true() if viewer.is_staff else ConciergeRequest.customer_id == viewer.id


@allow(SIGNED_IN)
def list_my_concierge_requests(ctx: Context) -> Select[ConciergeRequest]:
    """What the viewer asked for, newest first."""
    return select(ConciergeRequest).where(ConciergeRequest.customer_id == ctx.viewer.id).order_by(ConciergeRequest.id.desc())


@allow(SIGNED_IN)
def get_concierge_request(
    ctx: Context, *, id: Key[ConciergeRequest] | None = None, reference: str | None = None
) -> Select[ConciergeRequest]:
    """One request, by its id or its reference."""
    if (id is None) == (reference is None):
        raise BadUserInput(id="Give either the id or the reference.")
    which = id.names(ConciergeRequest) if id else ConciergeRequest.reference == reference
    return select(ConciergeRequest).where(visible(ctx.viewer), which)


@allow(*STAFF_ROLES)
def list_concierge_requests(ctx: Context, *, filter: ConciergeFilter | None = None) -> Select[ConciergeRequest]:
    """Everybody's requests, for the staff; the most urgent first."""
    found = select(ConciergeRequest).order_by(ConciergeRequest.estimated_on, ConciergeRequest.id)
    if filter is None:
        return found
    if filter.status is not None:
        found = found.where(ConciergeRequest.status == filter.status)
    if filter.is_open is not None:
        found = found.where(ConciergeRequest.status.in_(OPEN if filter.is_open else CLOSED))
    for name, column in (("assigned_to_id", ConciergeRequest.assigned_to_id), ("customer_id", ConciergeRequest.customer_id)):
        if (text := getattr(filter, name)) is not None:
            person: Key[User] = Key.parse(text, name)
            found = found.where(column == person.of(User))
    return found


@allow(SIGNED_IN)
async def request_concierge(ctx: Context, *, input: ConciergeInput) -> ConciergeRequest:
    """Ask the concierge to find something."""
    await limit(ctx, "request_concierge", REQUESTS)
    description = parse_text(input.item_description, "item_description", longest=LONGEST)
    if not description:
        raise BadUserInput(item_description="Say what you are looking for.")
    wishes = parse_text(input.special_instructions, "special_instructions", longest=LONGEST) if input.special_instructions else None
    if input.item_url and not URL.fullmatch(parse_text(input.item_url, "item_url", longest=LONGEST_URL)):
        raise BadUserInput(item_url="Give an address that begins with https:// or http://.")
    _check_amount("budget", input.budget)
    [[today]] = await ctx.fetch(select(house_day(ctx.moment())))
    async with ctx.writing() as db:
        request = ConciergeRequest(
            customer_id=ctx.viewer.id,
            item_description=description,
            item_url=input.item_url or None,
            budget=input.budget,
            needed_by=input.needed_by,
            estimated_on=estimate(today, input.needed_by),
            special_instructions=wishes,
        )
        db.add(request)
        await db.flush()
        await announce(db, ConciergeRequested(request))
        answers(db, request)
    return request


@allow(SIGNED_IN)
async def change_concierge_budget(ctx: Context, *, id: Key[ConciergeRequest], budget: Decimal) -> ConciergeRequest:
    """Say what a thing may cost, until it is ordered; so a price that is higher than thought is agreed to."""
    _check_amount("budget", budget)
    async with ctx.writing() as db:
        request = await _access(db, ConciergeRequest.customer_id == ctx.viewer.id, id)
        if request.status not in (ConciergeStatus.RECEIVED, ConciergeStatus.SOURCING):
            raise Conflict(f"What is {request.status} has its price.")
        request.budget = budget
        await announce(db, ConciergeChanged(request))
        answers(db, request)
    return request


@allow(SIGNED_IN)
async def cancel_concierge_request(ctx: Context, *, id: Key[ConciergeRequest]) -> ConciergeRequest:
    """Tell the concierge to stop looking; what is ordered comes."""
    async with ctx.writing() as db:
        request = await _access(db, ConciergeRequest.customer_id == ctx.viewer.id, id)
        await _move(db, ctx, request, ConciergeStatus.CANCELLED)
        answers(db, request)
    return request


@allow(*STAFF_ROLES)
async def move_concierge_request(
    ctx: Context, *, id: Key[ConciergeRequest], status: ConciergeStatus, note: str | None = None
) -> ConciergeRequest:
    """Say how far a request is, and tell the customer, with the note; whoever moves one that nobody has looks after it."""
    if status is ConciergeStatus.CANCELLED:
        raise BadUserInput(status="Only its customer cancels a request; decline it.")
    said = _note(note) if note is not None else None
    async with ctx.writing() as db:
        request = await _access(db, true(), id)
        if status is ConciergeStatus.ORDERED:
            _check_agreed(request)
        await _move(db, ctx, request, status)
        request.assigned_to_id = request.assigned_to_id or ctx.viewer.id
        if said:
            db.add(ConciergeNote(request_id=request.id, author_id=ctx.viewer.id, text=said, is_shown=True))
        await _tell(db, request, said)
        answers(db, request)
    return request


@allow(*STAFF_ROLES)
async def assign_concierge_request(ctx: Context, *, id: Key[ConciergeRequest], person_id: Key[User] | None = None) -> ConciergeRequest:
    """Let somebody of the staff look after a request, or nobody."""
    async with ctx.writing() as db:
        request = await _access(db, true(), id)
        request.assigned_to_id = await _colleague(db, person_id) if person_id else None
        await announce(db, ConciergeChanged(request))
        answers(db, request)
    return request


@allow(*STAFF_ROLES)
async def update_concierge_request(ctx: Context, *, id: Key[ConciergeRequest], patch: ConciergePatch) -> ConciergeRequest:
    """Note price and expected day of a request, and tell the customer."""
    _check_amount("price", patch.price)
    async with ctx.writing() as db:
        request = await _access(db, true(), id)
        if request.status in CLOSED:
            raise Conflict(f"What is {request.status} does not change any more.")
        request.price = request.price if patch.price is None else patch.price
        request.estimated_on = patch.estimated_on or request.estimated_on
        if request.status in AGREED:
            _check_agreed(request)
        await announce(db, ConciergeChanged(request))
        await _tell(db, request, None)
        answers(db, request)
    return request


@allow(*STAFF_ROLES)
async def add_concierge_note(ctx: Context, *, id: Key[ConciergeRequest], text: str, is_shown: bool = False) -> ConciergeRequest:
    """Note something about a request: for the staff, or for the customer, who is told."""
    said = _note(text)
    async with ctx.writing() as db:
        request = await _access(db, true(), id)
        db.add(ConciergeNote(request_id=request.id, author_id=ctx.viewer.id, text=said, is_shown=is_shown))
        await announce(db, ConciergeChanged(request))
        if is_shown:
            await _tell(db, request, said)
        answers(db, request)
    return request


def estimate(today: date, needed_by: date | None) -> date:
    """When the house expects to have a thing: a little before it is needed, never before tomorrow unless that is too late."""
    if needed_by is None:
        return today + timedelta(days=USUAL_DAYS)
    if needed_by < today:
        raise BadUserInput(needed_by="This day has passed.")
    return min(needed_by, max(needed_by - timedelta(days=SPARE_DAYS), today + timedelta(days=1)))


async def _move(db: AsyncSession, ctx: Context, request: ConciergeRequest, status: ConciergeStatus) -> None:
    await move(db, request, status, CONCIERGE_MOVES)
    if status in CLOSED:
        request.closed_at = ctx.now()
    await announce(db, ConciergeMoved(request))


async def _tell(db: AsyncSession, request: ConciergeRequest, said: str | None) -> None:
    await db.flush()
    await enqueue(db, "mail_about_concierge", {"request_id": request.id, "status": request.status.value, "said": said})


async def _access(db: AsyncSession, whose: ColumnElement[bool], id: Key[ConciergeRequest]) -> ConciergeRequest:
    request = await db.scalar(select(ConciergeRequest).where(whose, id.names(ConciergeRequest)).with_for_update(key_share=True))
    if request is None:
        raise NotFound
    return request


async def _colleague(db: AsyncSession, id: Key[User]) -> int:
    works = select(UserRole.id).where(UserRole.user_id == User.id, UserRole.role.in_(STAFF), UserRole.is_approved)
    found = await db.scalar(select(User.id).where(id.names(User), User.is_active, works.exists()))
    if found is None:
        raise BadUserInput(person_id="This is nobody of the staff.")
    return found


def _check_agreed(request: ConciergeRequest) -> None:
    """Nothing is ordered that nobody agreed to pay for; the table has the same rule."""
    if request.price is None:
        raise Conflict("Note its price first.")
    if request.budget is not None and request.price > request.budget:
        raise Conflict(f"It costs {request.price} {request.currency}, more than the customer's {request.budget}.")


def _check_amount(name: str, amount: Decimal | None) -> None:
    if amount is not None and amount <= 0:
        raise BadUserInput(**{name: "Give more than nothing."})


def _note(text: str) -> str:
    said = parse_text(text, "text", longest=LONGEST)
    if not said:
        raise BadUserInput(text="Write something.")
    return said
