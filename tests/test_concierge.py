"""The concierge: what is asked for is found or declined, within the budget, and its customer hears of it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from errors import BadUserInput, Conflict, Forbidden, NotFound
from models.concierge import ConciergeNote, ConciergeRequest, ConciergeStatus
from models.database import Database
from models.history import Change
from models.identity import Role
from models.keys import Key
from models.notifications import OutboxMessage
from resolvers import concierge
from resolvers.concierge import estimate
from resolvers.concierge_mails import mail_about_concierge
from resolvers.context import Context
from resolvers.inputs.concierge import ConciergeFilter, ConciergeInput, ConciergePatch
from resolvers.operations import Operation
from settings import Settings
from tests.members import run_jobs
from tests.paying import announced, by, queued
from tests.people import call, nobody
from tests.worlds import make_person

TODAY = datetime.now(UTC).date()
WISH: dict[str, Any] = {
    "item_description": "Japanese whisky - Hibiki 21", "item_url": "https://example.com/product", "budget": Decimal("400.00"),
    "needed_by": TODAY + timedelta(days=20), "special_instructions": "For anniversary celebration",
}  # fmt: skip


@pytest.fixture
async def ann(database: Database, settings: Settings) -> Context:
    return by(nobody(database, settings), await make_person(database))


@pytest.fixture
async def clerk(database: Database, settings: Settings) -> Context:
    return by(nobody(database, settings), await make_person(database, "clerk", Role.SUPPORT), Role.SUPPORT)


async def ask(ctx: Context, **changes: Any) -> ConciergeRequest:
    made: ConciergeRequest = await call(concierge.request_concierge, ctx, input=ConciergeInput(**{**WISH, **changes}))
    return made


def of(request: ConciergeRequest) -> dict[str, Any]:
    return {"id": Key(number=request.id)}


async def move(ctx: Context, request: ConciergeRequest, status: ConciergeStatus, **more: Any) -> ConciergeRequest:
    moved: ConciergeRequest = await call(concierge.move_concierge_request, ctx, status=status, **of(request), **more)
    return moved


async def test_a_request_is_received_and_its_day_estimated(database: Database, ann: Context) -> None:
    made = await ask(ann)
    assert made.reference == f"CON-{TODAY.year}-{made.id}"
    assert (made.status, made.estimated_on) == (ConciergeStatus.RECEIVED, TODAY + timedelta(days=18))
    assert await announced(database) == ["concierge.requested"]
    async with database.sessions() as db:
        [change] = (await db.scalars(select(Change).where(Change.table_name == "concierge_requests"))).all()
    assert change.after
    assert change.after["item_description"] == "***"
    assert change.after["budget"] == 400.00


@pytest.mark.parametrize(("needed_in", "estimated_in"), [(None, 7), (20, 18), (3, 1), (2, 1), (1, 1), (0, 0)])
def test_the_house_wants_to_have_it_a_little_before(needed_in: int | None, estimated_in: int) -> None:
    today = date(2026, 2, 27)
    needed_by = None if needed_in is None else today + timedelta(days=needed_in)
    assert estimate(today, needed_by) == today + timedelta(days=estimated_in)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"item_description": "  "}, "item_description"),
        ({"item_description": "x" * 2001}, "item_description"),
        ({"item_url": "javascript:alert(1)"}, "item_url"),
        ({"budget": Decimal("0.00")}, "budget"),
        ({"budget": Decimal("-1.00")}, "budget"),
        ({"needed_by": TODAY - timedelta(days=2)}, "needed_by"),
        ({"special_instructions": "x" * 2001}, "special_instructions"),
    ],
)
async def test_bad_requests_are_refused(database: Database, ann: Context, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await ask(ann, **wrong)
    assert list(refused.value.fields) == [field]
    assert await announced(database) == []


async def test_staff_find_it_and_the_customer_hears_of_each_step(database: Database, ann: Context, clerk: Context) -> None:
    made = await ask(ann)
    await move(clerk, made, ConciergeStatus.SOURCING, note="We know a shop in Osaka.")
    await call(concierge.update_concierge_request, clerk, patch=ConciergePatch(price=Decimal("385.00")), **of(made))
    await call(concierge.add_concierge_note, clerk, text="Supplier wants prepayment", **of(made))
    for status in (ConciergeStatus.ORDERED, ConciergeStatus.READY, ConciergeStatus.FULFILLED):
        moved = await move(clerk, made, status)
    assert moved.assigned_to_id == clerk.viewer.id
    assert moved.closed_at
    async with database.sessions() as db:
        notes = (await db.execute(select(ConciergeNote.text, ConciergeNote.is_shown).order_by(ConciergeNote.id))).all()
    assert [tuple(each) for each in notes] == [("We know a shop in Osaka.", True), ("Supplier wants prepayment", False)]
    assert await queued(database) == ["mail_about_concierge"] * 5
    with pytest.raises(Conflict):
        await move(clerk, made, ConciergeStatus.DECLINED)


async def test_a_mail_says_where_it_stands_once(database: Database, ann: Context, clerk: Context) -> None:
    made = await ask(ann)
    for _ in range(2):
        await mail_about_concierge(clerk, made.id, "sourcing", "We know a shop in Osaka.")
    await mail_about_concierge(clerk, made.id, "sourcing", "It is closed.")
    await run_jobs(clerk, "send_notification")
    async with database.sessions() as db:
        mails = (await db.scalars(select(OutboxMessage).order_by(OutboxMessage.id))).all()
    assert [each.to for each in mails] == ["ann@example.com"] * 2
    assert f"about your request {made.reference}: We are looking for it." in mails[0].body
    assert "We know a shop in Osaka." in mails[0].body


async def test_nothing_is_ordered_beyond_the_budget_until_its_customer_agrees(database: Database, ann: Context, clerk: Context) -> None:
    made = await ask(ann)
    await move(clerk, made, ConciergeStatus.SOURCING)
    with pytest.raises(Conflict, match="price"):
        await move(clerk, made, ConciergeStatus.ORDERED)
    await call(concierge.update_concierge_request, clerk, patch=ConciergePatch(price=Decimal("450.00")), **of(made))
    with pytest.raises(Conflict, match=r"more than the customer's 400\.00"):
        await move(clerk, made, ConciergeStatus.ORDERED)
    with pytest.raises(DBAPIError, match="agreed"):
        async with database.sessions.begin() as db:
            await db.execute(update(ConciergeRequest).values(status=ConciergeStatus.ORDERED))
    await call(concierge.change_concierge_budget, ann, budget=Decimal("450.00"), **of(made))
    await move(clerk, made, ConciergeStatus.ORDERED)
    with pytest.raises(Conflict):
        await call(concierge.change_concierge_budget, ann, budget=Decimal("1.00"), **of(made))
    with pytest.raises(Conflict):
        await call(concierge.update_concierge_request, clerk, patch=ConciergePatch(price=Decimal("451.00")), **of(made))


async def test_a_customer_cancels_until_it_is_ordered(ann: Context, clerk: Context) -> None:
    first, second = await ask(ann), await ask(ann, budget=None)
    assert (await call(concierge.cancel_concierge_request, ann, **of(first))).closed_at
    await move(clerk, second, ConciergeStatus.SOURCING)
    await call(concierge.update_concierge_request, clerk, patch=ConciergePatch(price=Decimal("9.00")), **of(second))
    await move(clerk, second, ConciergeStatus.ORDERED)
    with pytest.raises(Conflict):
        await call(concierge.cancel_concierge_request, ann, **of(second))
    with pytest.raises(BadUserInput):
        await move(clerk, second, ConciergeStatus.CANCELLED)


async def test_only_staff_are_assigned(database: Database, ann: Context, clerk: Context) -> None:
    made = await ask(ann)
    assigned = await call(concierge.assign_concierge_request, clerk, person_id=Key(number=clerk.viewer.id), **of(made))
    assert assigned.assigned_to_id == clerk.viewer.id
    assert (await call(concierge.assign_concierge_request, clerk, **of(made))).assigned_to_id is None
    with pytest.raises(BadUserInput):
        await call(concierge.assign_concierge_request, clerk, person_id=Key(number=ann.viewer.id), **of(made))


async def test_a_foreign_request_is_as_unknown_as_none_and_staff_work_is_for_staff(
    database: Database, settings: Settings, ann: Context
) -> None:
    made = await ask(ann)
    eve = by(nobody(database, settings), await make_person(database, "eve"))
    others: list[tuple[Operation, dict[str, Any]]] = [
        (concierge.cancel_concierge_request, {}),
        (concierge.change_concierge_budget, {"budget": Decimal(5)}),
    ]
    for operation, more in others:
        with pytest.raises(NotFound):
            await call(operation, eve, **of(made), **more)
    assert await eve.fetch(concierge.get_concierge_request(eve, **of(made))) == []
    assert len(await ann.fetch(concierge.get_concierge_request(ann, reference=made.reference))) == 1
    for operation in (concierge.move_concierge_request, concierge.list_concierge_requests, concierge.add_concierge_note):
        with pytest.raises(Forbidden):
            operation.admit(ann.viewer)


async def test_staff_see_the_most_urgent_first(ann: Context, clerk: Context) -> None:
    later, soon, never = await ask(ann), await ask(ann, needed_by=TODAY + timedelta(days=2)), await ask(ann, needed_by=None)
    await call(concierge.cancel_concierge_request, ann, **of(later))
    rows = await clerk.fetch(concierge.list_concierge_requests(clerk, filter=ConciergeFilter(is_open=True)))
    assert [row["id"] for row in rows] == [soon.id, never.id]
