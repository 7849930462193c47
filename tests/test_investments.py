"""The investment portal: only investors and staff see it, documents end with their links, and an interest is one."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette

from demo.prospectus import pdf
from errors import AlreadyExists, BadUserInput, Conflict, Forbidden, NotFound
from gateways.all import open_gateways
from models.database import Database
from models.files import FilePurpose, StoredFile
from models.history import Change
from models.identity import Role
from models.investments import InterestStatus, InvestmentDocument, InvestmentInterest, Opportunity, OpportunityStatus
from models.keys import Key
from resolvers import files, investment_access, investments
from resolvers.context import Context
from resolvers.inputs.files import UploadInput
from resolvers.inputs.investments import InterestFilter, InterestInput, OpportunityInput, OpportunityPatch
from settings import Settings
from tests.paying import announced, by, count
from tests.people import as_viewer, call, join
from tests.worlds import make_person

OFFER = {
    "title": "CoreSync NYC Expansion",
    "description": "New location in Manhattan",
    "expected_roi": "15-20%",
    "timeline": "18-24 months",
}


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[Context]:
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways)


@pytest.fixture
async def clerk(database: Database, world: Context) -> Context:
    return by(world, await make_person(database, "clerk", Role.FINANCE), Role.FINANCE)


@pytest.fixture
async def ann(database: Database, world: Context) -> Context:
    return by(world, await make_person(database, "ann", Role.CUSTOMER, Role.INVESTOR), Role.CUSTOMER, Role.INVESTOR)


@pytest.fixture
async def opportunity(clerk: Context) -> Opportunity:
    return await offer(clerk)


async def offer(clerk: Context, status: OpportunityStatus = OpportunityStatus.OPEN) -> Opportunity:
    made: Opportunity = await call(
        investments.create_opportunity, clerk, input=OpportunityInput(**OFFER, minimum_investment=Decimal(50_000))
    )
    if status is not OpportunityStatus.DRAFT:
        made = await call(investments.move_opportunity, clerk, id=Key(number=made.id), status=OpportunityStatus.OPEN)
    if status is OpportunityStatus.CLOSED:
        made = await call(investments.move_opportunity, clerk, id=Key(number=made.id), status=status)
    return made


async def say(ctx: Context, opportunity: Opportunity, amount: str = "75000.00", **more: Any) -> InvestmentInterest:
    wish = InterestInput(opportunity_id=str(opportunity.id), investment_amount=Decimal(amount), **more)  # type: ignore[arg-type]
    said: InvestmentInterest = await call(investments.express_interest, ctx, input=wish)
    return said


async def upload(clerk: Context, content: bytes | None = None) -> StoredFile:
    wanted = UploadInput(name="prospectus.pdf", content_type="application/pdf", purpose=FilePurpose.INVESTMENT_DOCUMENT)
    begun = await call(files.begin_upload, clerk, input=wanted)

    async def parts() -> AsyncIterator[bytes]:
        yield pdf("Prospectus", "Text") if content is None else content

    await clerk.gateways.files.write(begun.file.key, parts(), content_type="application/pdf", largest=10**6)
    file: StoredFile = begun.file
    return file


async def attach(clerk: Context, opportunity: Opportunity, file: StoredFile, name: str = "Investment Prospectus") -> InvestmentDocument:
    arguments: dict[str, Any] = {"opportunity_id": Key(number=opportunity.id), "file_id": Key(number=file.id), "name": name}
    made: InvestmentDocument = await call(investments.add_investment_document, clerk, **arguments)
    return made


EVERYTHING = (
    investments.list_opportunities,
    investments.get_opportunity,
    investments.get_investment_document_link,
    investments.express_interest,
    investments.withdraw_interest,
    investments.list_my_investment_interests,
)


async def test_the_whole_section_is_closed_to_whom_nobody_let_in(database: Database, world: Context) -> None:
    eve = by(world, await make_person(database, "eve"))
    for operation in EVERYTHING:
        with pytest.raises(Forbidden):
            operation.admit(eve.viewer)


async def test_access_is_granted_at_once_taken_back_at_once_and_remembered(
    app: Starlette, client: httpx2.AsyncClient, database: Database
) -> None:
    runtime = app.state.runtime
    ctx: Context = runtime.context(request_id="req_test", address="test")
    boss, ann = await join(ctx, Role.ADMIN), await join(ctx)
    boss_ctx = await as_viewer(ctx, boss)

    async def codes() -> list[str]:
        answer = await client.post(
            "/graphql",
            json={"query": "{ opportunities { totalCount } }"},
            headers={"Authorization": f"Bearer {ann.access_token}"},
        )
        return [each["extensions"]["code"] for each in answer.json().get("errors", [])]

    whom: dict[str, Any] = {"person_id": Key(number=ann.user.id)}
    assert await codes() == ["FORBIDDEN"]
    for _ in range(2):
        assert (await call(investment_access.grant_investment_access, boss_ctx, **whom)).has_access
    assert await codes() == []
    for _ in range(2):
        await call(investment_access.revoke_investment_access, boss_ctx, **whom)
    assert await codes() == ["FORBIDDEN"]
    assert (await announced(database)).count("investment.access") == 2
    async with database.sessions() as db:
        kept = select(Change.action, Change.actor_id).where(
            Change.table_name == "user_roles", func.coalesce(Change.after, Change.before)["role"].astext == "investor"
        )
        assert [tuple(row) for row in await db.execute(kept.order_by(Change.id))] == [("insert", boss.user.id), ("delete", boss.user.id)]
    with pytest.raises(NotFound):
        await call(investment_access.grant_investment_access, boss_ctx, person_id=Key(number=999_999))


async def test_only_the_heads_and_finance_let_people_in(database: Database, world: Context, ann: Context) -> None:
    helper = by(world, await make_person(database, "help", Role.SUPPORT), Role.SUPPORT)
    for who in (helper, ann):
        for operation in (investment_access.grant_investment_access, investment_access.list_investors, investments.create_opportunity):
            with pytest.raises(Forbidden):
                operation.admit(who.viewer)
    assert [row["id"] for row in await ann.fetch(investment_access.list_investors(ann))] == [ann.viewer.id]


async def test_a_draft_is_for_staff(database: Database, clerk: Context, ann: Context, opportunity: Opportunity) -> None:
    draft = await offer(clerk, OpportunityStatus.DRAFT)
    assert [row["id"] for row in await ann.fetch(investments.list_opportunities(ann))] == [opportunity.id]
    assert [row["id"] for row in await clerk.fetch(investments.list_opportunities(clerk))] == [opportunity.id, draft.id]
    with pytest.raises(NotFound):
        await say(ann, draft)
    document = await attach(clerk, draft, await upload(clerk))
    with pytest.raises(NotFound):
        await call(investments.get_investment_document_link, ann, id=Key(number=document.id))


async def test_a_document_is_uploaded_and_read_under_a_link(clerk: Context, ann: Context, opportunity: Opportunity) -> None:
    document = await attach(clerk, opportunity, await upload(clerk))
    link = await call(investments.get_investment_document_link, ann, id=Key(number=document.id))
    assert link.url.startswith("/files/kept/investment_document/")
    assert "name=Investment+Prospectus.pdf" in link.url


async def test_one_file_is_one_document(clerk: Context, opportunity: Opportunity) -> None:
    file = await upload(clerk)
    done = await asyncio.gather(*(attach(clerk, opportunity, file) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, InvestmentDocument) for each in done) == 1
    assert all(isinstance(each, InvestmentDocument | AlreadyExists | Conflict | NotFound | BadUserInput) for each in done)
    file_id = next(each.file_id for each in done if isinstance(each, InvestmentDocument))
    async with clerk.database.sessions() as db:
        kept = await db.get_one(StoredFile, file_id)
    assert await clerk.gateways.files.find(kept.key)


async def test_a_file_that_is_no_document_is_refused(database: Database, clerk: Context, opportunity: Opportunity) -> None:
    with pytest.raises(BadUserInput):
        await attach(clerk, opportunity, await upload(clerk, b"<script>"))
    assert await count(database, InvestmentDocument) == 0


async def test_a_removed_document_is_gone_with_its_file(clerk: Context, ann: Context, opportunity: Opportunity) -> None:
    document = await attach(clerk, opportunity, await upload(clerk))
    async with clerk.database.sessions() as db:
        key = (await db.get_one(StoredFile, document.file_id)).key
    await call(investments.remove_investment_document, clerk, id=Key(number=document.id))
    assert await clerk.gateways.files.find(key) is None
    with pytest.raises(NotFound):
        await call(investments.get_investment_document_link, ann, id=Key(number=document.id))


async def test_an_interest_is_one_however_often_it_is_said(database: Database, ann: Context, opportunity: Opportunity) -> None:
    said = await asyncio.gather(*(say(ann, opportunity, f"{number}0000.00") for number in range(5, 15)))
    assert len({each.id for each in said}) == 1
    assert await count(database, InvestmentInterest) == 1
    await say(ann, opportunity, "90000.00", message="More")
    async with database.sessions() as db:
        [now] = (await db.scalars(select(InvestmentInterest))).all()
    assert (now.amount, now.message, now.status) == (Decimal("90000.00"), "More", InterestStatus.NEW)


async def test_an_interest_that_changes_is_looked_at_again_until_it_is_decided(
    clerk: Context, ann: Context, opportunity: Opportunity
) -> None:
    interest = await say(ann, opportunity)
    id: dict[str, Any] = {"id": Key(number=interest.id)}
    await call(investments.move_interest, clerk, status=InterestStatus.CONTACTED, note="Called", **id)
    assert (await say(ann, opportunity)).status is InterestStatus.CONTACTED
    assert (await say(ann, opportunity, "80000.00")).status is InterestStatus.NEW
    assert (await call(investments.withdraw_interest, ann, **id)).status is InterestStatus.WITHDRAWN
    assert (await say(ann, opportunity, "80000.00")).status is InterestStatus.NEW
    await call(investments.move_interest, clerk, status=InterestStatus.COMMITTED, **id)
    with pytest.raises(Conflict):
        await say(ann, opportunity, "50000.00")
    with pytest.raises(Conflict):
        await call(investments.withdraw_interest, ann, **id)
    with pytest.raises(BadUserInput):
        await call(investments.move_interest, clerk, status=InterestStatus.NEW, **id)
    rows = await clerk.fetch(investments.list_investment_interests(clerk, filter=InterestFilter(status=InterestStatus.COMMITTED)))
    assert [(row["id"], row["staff_note"]) for row in rows] == [(interest.id, "Called")]


async def test_too_little_or_too_late_is_no_interest(clerk: Context, ann: Context, opportunity: Opportunity) -> None:
    with pytest.raises(BadUserInput) as refused:
        await say(ann, opportunity, "49999.99")
    assert refused.value.fields == {"investment_amount": "The least is 50000.00 USD."}
    with pytest.raises(Conflict):
        await say(ann, await offer(clerk, OpportunityStatus.CLOSED))
    with pytest.raises(NotFound):
        await call(investments.express_interest, ann, input=InterestInput(opportunity_id="999", investment_amount=Decimal(1)))  # type: ignore[arg-type]


async def test_a_foreign_interest_is_as_unknown_as_none(database: Database, world: Context, ann: Context, opportunity: Opportunity) -> None:
    interest = await say(ann, opportunity)
    eve = by(world, await make_person(database, "eve", Role.INVESTOR), Role.INVESTOR)
    with pytest.raises(NotFound):
        await call(investments.withdraw_interest, eve, id=Key(number=interest.id))


@pytest.mark.parametrize(("wrong", "field"), [({"title": " "}, "title"), ({"minimum_investment": Decimal(0)}, "minimum_investment")])
async def test_bad_opportunities_are_refused(clerk: Context, opportunity: Opportunity, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await call(investments.update_opportunity, clerk, id=Key(number=opportunity.id), patch=OpportunityPatch(**wrong))
    assert list(refused.value.fields) == [field]
