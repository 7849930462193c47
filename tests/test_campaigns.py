"""Campaigns: whom they are for, that nobody gets one twice, how fast they go, and that they stop when they are told to."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from errors import AlreadyExists, BadUserInput, Conflict, Forbidden, NotFound, Unavailable, Undeliverable
from gateways.all import open_gateways
from models.bookings import Booking, BookingKind, BookingStatus
from models.campaigns import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus, Segment
from models.database import Database
from models.identity import Role, User
from models.keys import Key
from models.newsletter import ConsentPurpose, ConsentSource, MarketingConsent
from models.notifications import OutboxMessage
from models.scheduling import Location
from resolvers import campaign_sending, campaigns, segments
from resolvers.campaign_sending import run_campaigns
from resolvers.consents import give_consent, withdraw_consent
from resolvers.context import Context, Viewer
from resolvers.inputs.campaigns import CampaignInput, CampaignPatch, SegmentConditions, SegmentInput
from resolvers.newsletter import unsubscribe, unsubscribe_link
from resolvers.notifications import write
from settings import Settings
from tests.people import call
from tests.telling import Post, in_production, outbox, work_off
from tests.worlds import Spa, make_member, make_person, make_spa

OFFERS = ConsentPurpose.SPECIAL_OFFERS
LETTER: dict[str, Any] = {
    "name": "January",
    "purpose": OFFERS,
    "subject": "A warm hour for {first_name}",
    "body": "Dear {first_name},\n\nall massages are less.\n\nSee you",
    "button_label": "Book",
    "button_url": "https://app.example.com/offers",
}


@pytest.fixture
async def ctx(database: Database, settings: Settings) -> AsyncIterator[Context]:
    """The head of the house, with the gateways of a demo."""
    head = await make_person(database, "head", Role.ADMIN)
    async with open_gateways(settings, database) as gateways:
        yield Context(settings, database, gateways, viewer=Viewer(head.id, frozenset({Role.ADMIN})))


async def agree(database: Database, *names: str, purpose: ConsentPurpose = OFFERS) -> None:
    """Let addresses agree to offers."""
    async with database.sessions.begin() as db:
        for name in names:
            await give_consent(db, f"{name}@example.com", purpose, ConsentSource.NEWSLETTER, datetime.now(UTC))


async def crowd(database: Database, count: int) -> None:
    await agree(database, *(f"reader{number}" for number in range(count)))


async def begin(ctx: Context, **about: Any) -> Campaign:
    """A campaign that is scheduled for now."""
    campaign: Campaign = await call(campaigns.create_campaign, ctx, input=CampaignInput(**{**LETTER, **about}))
    started: Campaign = await call(campaigns.schedule_campaign, ctx, id=Key(number=campaign.id))
    return started


async def now(database: Database, campaign: Campaign) -> Campaign:
    async with database.sessions() as db:
        return await db.get_one(Campaign, campaign.id)


async def standing(database: Database) -> dict[RecipientStatus, int]:
    async with database.sessions() as db:
        rows = await db.execute(select(CampaignRecipient.status, func.count()).group_by(CampaignRecipient.status))
        return {status: count for status, count in rows}


def slow(ctx: Context, rate: int) -> Context:
    """The same with so many mails a minute."""
    return ctx.but(settings=ctx.settings.model_copy(update={"campaign_rate": rate}))


async def test_everybody_who_agreed_gets_one_mail_with_their_name_and_a_way_out(ctx: Context, database: Database) -> None:
    await make_person(database, "ann")
    await agree(database, "ann", "bob")
    await agree(database, "eve", purpose=ConsentPurpose.SERVICE_UPDATES)
    campaign = await begin(ctx)
    for _ in range(2):
        await run_campaigns(ctx, stay=0)
    await work_off(ctx)
    await run_campaigns(ctx, stay=0)
    mails = {each.to: each for each in await outbox(database)}
    assert set(mails) == {"ann@example.com", "bob@example.com"}
    assert mails["ann@example.com"].subject == "A warm hour for Ann"
    assert mails["bob@example.com"].subject == "A warm hour for there"
    assert "Dear Ann,\n\nall massages are less.\n\nSee you\n\nBook: https://app.example.com/offers" in mails["ann@example.com"].body
    assert len({each.unsubscribe_url for each in mails.values()}) == 2
    after = await now(database, campaign)
    assert (after.status, after.finished_at is not None) == (CampaignStatus.SENT, True)
    assert await standing(database) == {RecipientStatus.SENT: 2}


async def test_two_workers_send_everybody_one_mail(ctx: Context, database: Database) -> None:
    await crowd(database, 120)
    await begin(ctx)
    await asyncio.gather(*(run_campaigns(ctx, stay=0) for _ in range(4)))
    post = Post()
    await work_off(in_production(ctx, mail=post))
    assert Counter(mail.to for mail in post.sent) == {f"reader{number}@example.com": 1 for number in range(120)}
    assert all(mail.unsubscribe_url for mail in post.sent)
    assert await standing(database) == {RecipientStatus.SENT: 120}


async def test_a_minute_has_so_many_mails_however_many_workers_there_are(ctx: Context, database: Database) -> None:
    await crowd(database, 30)
    first = await begin(ctx)
    await begin(ctx, name="Second")
    await asyncio.gather(*(run_campaigns(slow(ctx, 7), stay=0) for _ in range(4)))
    assert len(await outbox(database)) == 7
    async with database.sessions.begin() as db:
        await db.execute(update(CampaignRecipient).values(queued_at=CampaignRecipient.queued_at - timedelta(minutes=1)))
    await asyncio.gather(*(run_campaigns(slow(ctx, 7), stay=0) for _ in range(4)))
    assert len(await outbox(database)) == 14
    assert (await now(database, first)).status is CampaignStatus.SENDING


class Cut(Exception):
    """A worker that dies."""


async def test_what_a_restart_interrupts_goes_on_where_it_stopped(
    ctx: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowd(database, 25)
    monkeypatch.setattr(campaign_sending, "BATCH", 10)
    monkeypatch.setattr(campaign_sending, "PER_TRANSACTION", 10)
    await begin(ctx)
    calls = 0

    async def dies(*arguments: Any, **about: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 15:
            raise Cut
        return await write(*arguments, **about)

    with monkeypatch.context() as patched:
        patched.setattr(campaign_sending, "write", dies)
        with pytest.raises(Cut):
            await run_campaigns(ctx, stay=0)
    assert len(await outbox(database)) == 10
    await run_campaigns(ctx, stay=0)
    assert Counter(each.to for each in await outbox(database)) == {f"reader{number}@example.com": 1 for number in range(25)}


async def test_nobody_is_written_down_twice_who_agreed_again_meanwhile(
    ctx: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_sending, "BATCH", 1)
    await agree(database, "ann", "bob")
    await begin(ctx)
    await campaign_sending._begin_due(ctx)
    assert await campaign_sending._list_some(ctx)
    async with database.sessions.begin() as db:
        await withdraw_consent(db, "ann@example.com", ConsentSource.UNSUBSCRIBED, ctx.now())
    await agree(database, "ann")
    await run_campaigns(ctx, stay=0)
    assert sorted(each.to for each in await outbox(database)) == ["ann@example.com", "bob@example.com"]


async def test_who_takes_it_back_before_their_turn_is_passed_over(ctx: Context, database: Database) -> None:
    ann = await make_person(database, "ann")
    await agree(database, "ann", "bob", "eve")
    await begin(ctx)
    await run_campaigns(slow(ctx, 1), stay=0)
    async with database.sessions.begin() as db:
        await withdraw_consent(db, "eve@example.com", ConsentSource.PREFERENCES, ctx.now())
        assert (await db.get_one(User, ann.id)).is_active
    await run_campaigns(ctx, stay=0)
    assert [each.to for each in await outbox(database)] == ["ann@example.com", "bob@example.com"]
    assert (await standing(database))[RecipientStatus.SKIPPED] == 1


async def test_a_paused_campaign_waits_and_a_cancelled_one_ends(ctx: Context, database: Database) -> None:
    await crowd(database, 10)
    campaign = await begin(ctx)
    id: Key[Campaign] = Key(number=campaign.id)
    await run_campaigns(slow(ctx, 3), stay=0)
    await call(campaigns.pause_campaign, ctx, id=id)
    await run_campaigns(ctx, stay=0)
    assert len(await outbox(database)) == 3
    await call(campaigns.schedule_campaign, ctx, id=id)
    await run_campaigns(slow(ctx, 5), stay=0)
    assert len(await outbox(database)) == 5
    assert (await call(campaigns.cancel_campaign, ctx, id=id)).status is CampaignStatus.CANCELLED
    await run_campaigns(ctx, stay=0)
    assert len(await outbox(database)) == 5
    for operation in (campaigns.schedule_campaign, campaigns.pause_campaign, campaigns.cancel_campaign):
        with pytest.raises(Conflict):
            await call(operation, ctx, id=id)


async def test_nothing_is_queued_once_a_pause_was_answered(ctx: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_sending, "PER_TRANSACTION", 2)
    await crowd(database, 60)
    campaign = await begin(ctx)
    running = asyncio.gather(*(run_campaigns(ctx, stay=0) for _ in range(2)))
    while not await outbox(database):  # noqa: ASYNC110 - the job tells nobody
        await asyncio.sleep(0.01)
    await call(campaigns.pause_campaign, ctx, id=Key(number=campaign.id))
    queued = len(await outbox(database))
    await running
    assert len(await outbox(database)) == queued < 60


async def test_a_campaign_for_later_begins_when_it_is_due(ctx: Context, database: Database) -> None:
    await agree(database, "ann")
    campaign = await call(campaigns.create_campaign, ctx, input=CampaignInput(**LETTER))
    await call(campaigns.schedule_campaign, ctx, id=Key(number=campaign.id), starts_at=ctx.now() + timedelta(hours=1))
    await run_campaigns(ctx, stay=0)
    assert await outbox(database) == []
    async with database.sessions.begin() as db:
        await db.execute(update(Campaign).values(starts_at=ctx.now()))
    await run_campaigns(ctx, stay=0)
    assert len(await outbox(database)) == 1


async def test_what_became_of_each_mail_is_counted(ctx: Context, database: Database) -> None:
    await crowd(database, 3)
    campaign = await begin(ctx)
    await run_campaigns(ctx, stay=0)
    post = Post(Undeliverable("No such mailbox."))
    await work_off(in_production(ctx, mail=post))
    assert await standing(database) == {RecipientStatus.FAILED: 1, RecipientStatus.SENT: 2}
    link = unsubscribe_link(ctx, "campaign:2")
    assert any(mail.unsubscribe_url == link for mail in post.sent)
    for _ in range(2):
        await call(unsubscribe, ctx, token=link.partition("token=")[2])
    async with database.sessions() as db:
        [[reader]] = await db.execute(select(CampaignRecipient.email).where(CampaignRecipient.unsubscribed_at.is_not(None)))
        withdrawn = await db.scalars(select(MarketingConsent.email).where(MarketingConsent.withdrawn_at.is_not(None)))
        assert list(withdrawn) == [reader]
    assert (await now(database, campaign)).status is CampaignStatus.SENDING
    await run_campaigns(ctx, stay=0)
    assert (await now(database, campaign)).status is CampaignStatus.SENT


async def test_a_mail_of_which_nobody_knows_whether_it_went_is_not_sent_again(ctx: Context, database: Database) -> None:
    await agree(database, "ann")
    await begin(ctx)
    await run_campaigns(ctx, stay=0)
    async with database.sessions.begin() as db:
        [message] = await db.scalars(select(CampaignRecipient.message_id))
    async with database.sessions.begin() as db:
        await db.execute(update(OutboxMessage).values(begun_at=datetime.now(UTC) - timedelta(minutes=5)))
    post = Post()
    assert message
    await work_off(in_production(ctx, mail=post))
    assert post.sent == []
    assert await standing(database) == {RecipientStatus.FAILED: 1}


async def test_a_mail_server_that_is_down_loses_nobody(ctx: Context, database: Database) -> None:
    await agree(database, "ann")
    await begin(ctx)
    await run_campaigns(ctx, stay=0)
    with pytest.raises(Unavailable):
        await work_off(in_production(ctx, mail=Post(Unavailable())))
    assert await standing(database) == {RecipientStatus.QUEUED: 1}


async def visit(database: Database, spa: Spa, person: User, days_ago: int) -> None:
    begins = datetime.now(UTC) - timedelta(days=days_ago)
    async with database.sessions.begin() as db:
        db.add(
            Booking(
                kind=BookingKind.APPOINTMENT,
                customer_id=person.id,
                service_id=spa.service.id,
                location_id=spa.location.id,
                status=BookingStatus.COMPLETED,
                starts_at=begins,
                ends_at=begins + timedelta(hours=1),
                total_amount=Decimal(100),
            )
        )


@pytest.mark.parametrize(
    ("conditions", "who"),
    [
        ({}, "ann bob eve stranger"),
        ({"is_member": True}, "ann"),
        ({"is_member": False}, "bob eve stranger"),
        ({"membership_tiers": ["premium"]}, "ann"),
        ({"membership_tiers": ["standard"]}, ""),
        ({"visited_within_days": 30}, "ann"),
        ({"not_visited_for_days": 30}, "bob eve stranger"),
        ({"not_visited_for_days": 30, "visits_at_least": 1}, "bob"),
        ({"visits_at_least": 2}, "bob"),
        ({"categories": ["mensuite", "other"]}, "ann bob"),
        ({"categories": ["other"]}, ""),
        ({"cities": ["new york"]}, "ann bob"),
        ({"cities": ["Chicago"]}, ""),
        ({"has_account": False}, "stranger"),
        ({"has_account": True}, "ann bob eve"),
        ({"is_member": True, "cities": ["New York"], "visited_within_days": 30}, "ann"),
    ],
)
async def test_a_segment_is_whoever_agreed_and_fits_every_condition(
    ctx: Context, database: Database, conditions: dict[str, Any], who: str
) -> None:
    spa = await make_spa(database)
    ann, bob, _ = [await make_person(database, name) for name in ("ann", "bob", "eve")]
    await make_person(database, "silent")
    gone = await make_person(database, "gone")
    await agree(database, "ann", "bob", "eve", "stranger", "gone")
    await make_member(database, ann)
    async with database.sessions.begin() as db:
        await db.execute(update(Location).values(city="New York"))
        (await db.get_one(User, gone.id)).is_active = False
    await visit(database, spa, ann, 10)
    for days in (100, 50):
        await visit(database, spa, bob, days)
    held = SegmentConditions(**conditions)
    size = await call(segments.count_segment, ctx, purpose=OFFERS, conditions=held)
    assert size.count == len(who.split())
    segment = await call(segments.create_segment, ctx, input=SegmentInput(name="Some", conditions=held))
    assert (await call(segments.count_segment, ctx, purpose=OFFERS, id=Key(number=segment.id))).count == size.count
    await begin(ctx, segment_id=str(segment.id))
    await run_campaigns(ctx, stay=0)
    assert sorted(each.to for each in await outbox(database)) == [f"{name}@example.com" for name in who.split()]


@pytest.mark.parametrize(
    "conditions",
    [{"categories": []}, {"cities": ["x"] * 51}, {"visits_at_least": 0}, {"visited_within_days": 10**9}, {"cities": ["a\u0000"]}],
)
async def test_conditions_that_can_never_hold_are_refused(ctx: Context, conditions: dict[str, Any]) -> None:
    with pytest.raises(BadUserInput) as refused:
        await call(segments.create_segment, ctx, input=SegmentInput(name="x", conditions=SegmentConditions(**conditions)))
    assert list(refused.value.fields) == list(conditions)


async def test_a_segment_has_a_name_of_its_own(ctx: Context, database: Database) -> None:
    await call(segments.create_segment, ctx, input=SegmentInput(name="All", conditions=SegmentConditions()))
    with pytest.raises(AlreadyExists):
        await call(segments.create_segment, ctx, input=SegmentInput(name=" All ", conditions=SegmentConditions()))
    with pytest.raises(BadUserInput):
        await call(segments.create_segment, ctx, input=SegmentInput(name=" ", conditions=SegmentConditions()))
    with pytest.raises(NotFound):
        await call(segments.count_segment, ctx, purpose=OFFERS, id=Key(number=99))
    async with database.sessions() as db:
        assert len(list(await db.scalars(select(Segment)))) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subject": " "}, "subject"),
        ({"body": ""}, "body"),
        ({"body": "Dear {last_name}"}, "body"),
        ({"button_url": "javascript:alert(1)"}, "button_url"),
        ({"button_url": "http://example.com"}, "button_url"),
        ({"segment_id": "99"}, "segment_id"),
        ({"segment_id": "nonsense"}, "segment_id"),
        ({"name": "x" * 151}, "name"),
    ],
)
async def test_what_no_mail_can_be_made_of_is_refused_by_its_field(ctx: Context, change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await call(campaigns.create_campaign, ctx, input=CampaignInput(**{**LETTER, **change}))
    assert list(refused.value.fields) == [field]


async def test_a_draft_is_changed_tried_and_looked_at(ctx: Context, database: Database) -> None:
    campaign = await call(campaigns.create_campaign, ctx, input=CampaignInput(**LETTER))
    id: Key[Campaign] = Key(number=campaign.id)
    await call(campaigns.update_campaign, ctx, id=id, patch=CampaignPatch(subject="Now, {first_name}"))
    await call(campaigns.try_campaign, ctx, id=id)
    await call(campaigns.try_campaign, ctx, id=id, to="boss@example.com")
    assert [(each.to, each.subject) for each in await outbox(database)] == [
        ("head@example.com", "[Test] Now, Head"),
        ("boss@example.com", "[Test] Now, Head"),
    ]
    looked = await call(campaigns.preview_campaign, ctx, id=id)
    assert (looked.subject, "all massages are less." in looked.html) == ("Now, John", True)
    await call(campaigns.schedule_campaign, ctx, id=id)
    with pytest.raises(Conflict):
        await call(campaigns.update_campaign, ctx, id=id, patch=CampaignPatch(subject="Too late"))
    assert await standing(database) == {}


async def test_only_the_heads_of_the_house_run_campaigns(ctx: Context) -> None:
    for roles in ({Role.SUPPORT}, {Role.CUSTOMER}, {Role.MANAGEMENT}):
        clerk = ctx.with_viewer(Viewer(ctx.viewer.id, frozenset(roles)))
        with pytest.raises(Forbidden):
            await call(campaigns.create_campaign, clerk, input=CampaignInput(**LETTER))
        with pytest.raises(Forbidden):
            await call(campaigns.schedule_campaign, clerk, id=Key(number=1))
    for operation in (campaigns.schedule_campaign, campaigns.pause_campaign, campaigns.cancel_campaign, campaigns.preview_campaign):
        with pytest.raises(NotFound):
            await call(operation, ctx, id=Key(number=99))
