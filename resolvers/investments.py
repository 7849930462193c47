"""The investment portal: what is offered, its documents, and who is interested. Who may see it: investment_access.py."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound
from gateways.links import good_until, read_link
from models.files import FilePurpose, StoredFile
from models.identity import Role
from models.investments import (
    INTEREST_MOVES,
    OPPORTUNITY_MOVES,
    InterestStatus,
    InvestmentDocument,
    InvestmentInterest,
    Opportunity,
    OpportunityStatus,
)
from models.keys import Key
from resolvers.context import Context, Viewer
from resolvers.files import RULES, keep_upload
from resolvers.idempotency import answers
from resolvers.inputs.investments import InterestFilter, InterestInput, OpportunityInput, OpportunityPatch
from resolvers.inputs.values import parse_text
from resolvers.limits import limit
from resolvers.moves import move
from resolvers.operations import STAFF_ROLES, allow
from subscriptions.facts import announce
from subscriptions.investments import InterestExpressed

KEEPERS = (Role.SUPER_ADMIN, Role.ADMIN, Role.FINANCE)
READERS = (Role.INVESTOR, *STAFF_ROLES)
LONGEST = {"title": 200, "description": 10_000, "expected_roi": 100, "timeline": 100}
LONGEST_MESSAGE = 2000
INTERESTS = "60/hour"
UNDECIDED = (InterestStatus.NEW, InterestStatus.CONTACTED, InterestStatus.WITHDRAWN)
"""Where an investor may still change their mind by themselves."""
TYPES = RULES[FilePurpose.INVESTMENT_DOCUMENT].types


@dataclass
class DocumentLink:
    """A document with the address at which it can be read for a while."""

    document: InvestmentDocument
    url: str
    expires_at: datetime


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """The opportunities that a viewer may see: drafts only the staff."""
    return true() if viewer.is_staff else Opportunity.status != OpportunityStatus.DRAFT


@allow(*READERS)
def list_opportunities(ctx: Context, *, status: OpportunityStatus | None = None) -> Select[Opportunity]:
    """What can be invested in, for investors and staff."""
    found = select(Opportunity).where(visible(ctx.viewer)).order_by(Opportunity.id)
    return found.where(Opportunity.status == status) if status is not None else found


@allow(*READERS)
def get_opportunity(ctx: Context, *, id: Key[Opportunity]) -> Select[Opportunity]:
    """One opportunity."""
    return select(Opportunity).where(visible(ctx.viewer), id.names(Opportunity))


@allow(*READERS)
async def get_investment_document_link(ctx: Context, *, id: Key[InvestmentDocument]) -> DocumentLink:
    """Where a document can be read for a few minutes."""
    found = select(InvestmentDocument, StoredFile.key, StoredFile.content_type).join(StoredFile).join(Opportunity)
    async with ctx.database.sessions() as db:
        row = (await db.execute(found.where(visible(ctx.viewer), id.names(InvestmentDocument)))).one_or_none()
    if row is None:
        raise NotFound
    document, key, content_type = row
    return DocumentLink(document, link_to(ctx, document.name, key, content_type), good_until(ctx.settings))


def link_to(ctx: Context, name: str, key: str, content_type: str) -> str:
    """A signed link to a document's file, under its name and the ending of its type."""
    return read_link(ctx.settings, key, name=f"{name}.{TYPES[content_type]}", content_type=content_type)


@allow(*READERS)
async def express_interest(ctx: Context, *, input: InterestInput) -> InvestmentInterest:
    """Say that one is interested, or say it anew: amount, message and way of contact are replaced until staff and investor agreed."""
    await limit(ctx, "express_interest", INTERESTS)
    message = parse_text(input.message, "message", longest=LONGEST_MESSAGE) if input.message else None
    opportunity_id: Key[Opportunity] = Key.parse(input.opportunity_id, "opportunity_id")
    async with ctx.writing() as db:
        opportunity = await db.scalar(
            select(Opportunity).where(visible(ctx.viewer), opportunity_id.names(Opportunity)).with_for_update(read=True)
        )
        if opportunity is None:
            raise NotFound("There is no such opportunity.")
        if opportunity.status is not OpportunityStatus.OPEN:
            raise Conflict("This opportunity is not open.")
        if input.investment_amount < opportunity.minimum_investment:
            least = f"{opportunity.minimum_investment} {opportunity.currency}"
            raise BadUserInput(investment_amount=f"The least is {least}.")
        said = {"amount": input.investment_amount, "contact_method": input.contact_method, "message": message}
        interest = await _interest(db, opportunity.id, ctx.viewer.id, said)
        await announce(db, InterestExpressed(interest))
        answers(db, interest)
    return interest


@allow(*READERS)
async def withdraw_interest(ctx: Context, *, id: Key[InvestmentInterest]) -> InvestmentInterest:
    """Say that one is not interested any more."""
    async with ctx.writing() as db:
        interest = await _access(db, id, InvestmentInterest.user_id == ctx.viewer.id)
        await move(db, interest, InterestStatus.WITHDRAWN, INTEREST_MOVES)
        await announce(db, InterestExpressed(interest))
        answers(db, interest)
    return interest


@allow(*READERS)
def list_my_investment_interests(ctx: Context) -> Select[InvestmentInterest]:
    """What the viewer is interested in, newest first."""
    return select(InvestmentInterest).where(InvestmentInterest.user_id == ctx.viewer.id).order_by(InvestmentInterest.id.desc())


@allow(*KEEPERS)
def list_investment_interests(ctx: Context, *, filter: InterestFilter | None = None) -> Select[InvestmentInterest]:
    """Who is interested in what, for whoever looks after investors; newest first."""
    found = select(InvestmentInterest).order_by(InvestmentInterest.id.desc())
    if filter is not None and filter.opportunity_id is not None:
        opportunity: Key[Opportunity] = Key.parse(filter.opportunity_id, "opportunity_id")
        found = found.where(InvestmentInterest.opportunity_id == opportunity.of(Opportunity))
    return found.where(InvestmentInterest.status == filter.status) if filter is not None and filter.status is not None else found


@allow(*KEEPERS)
async def move_interest(
    ctx: Context, *, id: Key[InvestmentInterest], status: InterestStatus, note: str | None = None
) -> InvestmentInterest:
    """Say what became of an interest."""
    if status in (InterestStatus.NEW, InterestStatus.WITHDRAWN):
        raise BadUserInput(status="Only the investor says that.")
    said = parse_text(note, "note", longest=LONGEST_MESSAGE) if note is not None else None
    async with ctx.writing() as db:
        interest = await _access(db, id, true())
        await move(db, interest, status, INTEREST_MOVES)
        interest.staff_note = said or interest.staff_note
        await announce(db, InterestExpressed(interest))
        answers(db, interest)
    return interest


@allow(*KEEPERS)
async def create_opportunity(ctx: Context, *, input: OpportunityInput) -> Opportunity:
    """Write down an opportunity; only staff see it until it is opened."""
    values = _checked(vars(input))
    async with ctx.writing() as db:
        opportunity = Opportunity(**values)
        db.add(opportunity)
        await db.flush()
        answers(db, opportunity)
    return opportunity


@allow(*KEEPERS)
async def update_opportunity(ctx: Context, *, id: Key[Opportunity], patch: OpportunityPatch) -> Opportunity:
    """Change what is said of an opportunity; interests stay as they are."""
    values = _checked({name: value for name, value in vars(patch).items() if value is not None})
    async with ctx.writing() as db:
        opportunity = await _opportunity(db, id)
        for name, value in values.items():
            setattr(opportunity, name, value)
        await db.flush()
        answers(db, opportunity)
    return opportunity


@allow(*KEEPERS)
async def move_opportunity(ctx: Context, *, id: Key[Opportunity], status: OpportunityStatus) -> Opportunity:
    """Open an opportunity to investors, or close it."""
    async with ctx.writing() as db:
        opportunity = await _opportunity(db, id)
        await move(db, opportunity, status, OPPORTUNITY_MOVES)
        answers(db, opportunity)
    return opportunity


@allow(*KEEPERS)
async def add_investment_document(
    ctx: Context, *, opportunity_id: Key[Opportunity], file_id: Key[StoredFile], name: str
) -> InvestmentDocument:
    """Put an uploaded file beside an opportunity, once its bytes were found to be what they should."""
    title = parse_text(name, "name", longest=200)
    if not title:
        raise BadUserInput(name="Give it a name.")
    number = await keep_upload(ctx, file_id, FilePurpose.INVESTMENT_DOCUMENT)
    async with ctx.writing() as db:
        opportunity = await _opportunity(db, opportunity_id)
        document = InvestmentDocument(opportunity_id=opportunity.id, file_id=number, name=title)
        db.add(document)
        await db.flush()
        answers(db, document)
    return document


@allow(*KEEPERS)
async def remove_investment_document(ctx: Context, *, id: Key[InvestmentDocument]) -> Opportunity:
    """Take a document away; links to it that are still good end with its file."""
    async with ctx.writing() as db:
        document = await db.scalar(select(InvestmentDocument).where(id.names(InvestmentDocument)).with_for_update())
        if document is None:
            raise NotFound
        file = await db.get_one(StoredFile, document.file_id)
        await db.delete(document)
        await db.flush()
        await db.delete(file)
        opportunity = await db.get_one(Opportunity, document.opportunity_id)
        answers(db, opportunity)
    await ctx.gateways.files.delete(file.key)
    return opportunity


async def _interest(db: AsyncSession, opportunity_id: int, user_id: int, said: dict[str, Any]) -> InvestmentInterest:
    """The person's one interest in an opportunity, with what they say now."""
    new = insert(InvestmentInterest).values(opportunity_id=opportunity_id, user_id=user_id, status=InterestStatus.NEW, **said)
    made: InvestmentInterest | None = await db.scalar(
        new.on_conflict_do_nothing(index_elements=["opportunity_id", "user_id"]).returning(InvestmentInterest)
    )
    if made is not None:
        return made
    mine = select(InvestmentInterest).where(InvestmentInterest.opportunity_id == opportunity_id, InvestmentInterest.user_id == user_id)
    known = (await db.scalars(mine.with_for_update())).one()
    if known.status not in UNDECIDED:
        raise Conflict(f"Your interest is {known.status}; speak with us.")
    is_changed = any(getattr(known, name) != value for name, value in said.items())
    for name, value in said.items():
        setattr(known, name, value)
    if known.status is not InterestStatus.NEW and (is_changed or known.status is InterestStatus.WITHDRAWN):
        await move(db, known, InterestStatus.NEW, INTEREST_MOVES)
    await db.flush()
    return known


async def _access(db: AsyncSession, id: Key[InvestmentInterest], whose: ColumnElement[bool]) -> InvestmentInterest:
    interest = await db.scalar(select(InvestmentInterest).where(whose, id.names(InvestmentInterest)).with_for_update())
    if interest is None:
        raise NotFound
    return interest


async def _opportunity(db: AsyncSession, id: Key[Opportunity]) -> Opportunity:
    opportunity = await db.scalar(select(Opportunity).where(id.names(Opportunity)).with_for_update(key_share=True))
    if opportunity is None:
        raise NotFound
    return opportunity


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    for name, longest in LONGEST.items():
        if name in values:
            values[name] = parse_text(values[name], name, longest=longest)
            if not values[name]:
                raise BadUserInput(**{name: "This cannot be empty."})
    if values.get("minimum_investment", Decimal(1)) <= 0:
        raise BadUserInput(minimum_investment="Give more than nothing.")
    return values
