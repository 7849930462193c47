"""Personal data: every table that names a person is known, all of it is exported, and all but the books is forgotten."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select, text, update

from errors import BadUserInput, Conflict, Forbidden, InvalidCredentials, NotFound, Unauthenticated
from gateways.all import open_gateways
from gateways.simulators.faces import synthetic_face
from models.accounts import DataRequest, DataRequestKind
from models.base import Model
from models.bookings import Booking, BookingKind, BookingStatus
from models.database import Database
from models.faces import Face, FaceConsent
from models.identity import Role, User
from models.keys import Key
from models.ledger import Entry
from models.newsletter import ConsentPurpose, ConsentSource, MarketingConsent
from models.notifications import Notification, NotificationKind, OutboxMessage, PushDevice, PushPlatform
from models.payments import Payment, SavedCard
from resolvers import faces, identity, passkeys, privacy
from resolvers.authentication import authenticate
from resolvers.consents import give_consent
from resolvers.context import Context
from resolvers.notifications import notify
from resolvers.personal_data import ACTED, DELETED, HOLDINGS, KEPT
from resolvers.samples import SAMPLES
from resolvers.sessions import SignedIn
from settings import Settings
from tests.authenticator import Authenticator
from tests.people import PASSWORD, as_viewer, call, join, nobody
from tests.worlds import make_spa

SECRETS = {"answer", "code_hash", "device_hash", "token_hash", "template", "secret", "public_key", "client_secret", "refresh_jti"}


@dataclass
class Office:
    """John, who has done many things here, and an administrator."""

    stranger: Context
    john: Context
    admin: Context
    signed_in: SignedIn


@pytest.fixture
async def office(database: Database, settings: Settings) -> AsyncIterator[Office]:
    async with open_gateways(settings, database) as gateways:
        stranger = replace(nobody(database, settings), gateways=gateways)
        signed_in = await join(stranger, email="john@example.com", first_name="John", last_name="Doe", phone="+15551234567")
        john = await as_viewer(stranger, signed_in)
        await call(faces.register_face, john, face_data=synthetic_face("John Doe"), consent=True, password=PASSWORD)
        begun = await call(passkeys.begin_passkey_registration, john, password=PASSWORD)
        await call(passkeys.finish_passkey_registration, john, credential=Authenticator().create(begun.options), name="John's phone")
        await fill(database, john.viewer.id)
        yield Office(stranger, john, await as_viewer(stranger, await join(stranger, Role.ADMIN)), signed_in)


async def fill(database: Database, user_id: int, *, days: int = -7) -> int:
    """A booking of the person's with a payment, and what they wrote about it."""
    spa = await make_spa(database) if days < 0 else None
    starts = datetime.now(UTC) + timedelta(days=days)
    async with database.sessions.begin() as db:
        booking = Booking(
            kind=BookingKind.APPOINTMENT,
            customer_id=user_id,
            service_id=spa.service.id if spa else None,
            status=BookingStatus.CONFIRMED if days > 0 else BookingStatus.COMPLETED,
            starts_at=starts,
            ends_at=starts + timedelta(hours=1),
            total_amount=Decimal("150.00"),
            special_requests="John's back hurts",
        )
        db.add(booking)
        await db.flush()
        db.add(Payment(user_id=user_id, booking_id=booking.id, provider="stripe", amount=Decimal("150.00"), client_secret="pi_x_secret_y"))
    return booking.id


def columns_that_name_a_person() -> dict[str, Any]:
    found = {}
    for table in Model.metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table.name == "users":
                found[f"{table.name}.{key.parent.name}"] = key.parent
    return found


def test_every_table_that_names_a_person_is_known_to_exports_and_erasures() -> None:
    known = {f"{each.table.__tablename__}.{each.owner.key}" for each in HOLDINGS if each.of is None and not each.by_address}
    acted = {f"{each.class_.__tablename__}.{each.key}" for each in ACTED}
    assert set(columns_that_name_a_person()) - known - acted == set(), "say in resolvers/personal_data.py what becomes of it"
    assert known - set(columns_that_name_a_person()) == {"users.id"}


def test_whatever_is_sensitive_in_a_table_that_is_kept_is_emptied() -> None:
    left = {
        f"{each.name}.{column.name}"
        for each in HOLDINGS
        if each.when_erased is KEPT
        for column in each.table.__table__.columns
        if column.info.get("sensitive") and column.name not in each.emptied
    }
    assert left == set()


def test_nothing_that_opens_something_is_exported() -> None:
    shown = {
        f"{each.name}.{column.name}" for each in HOLDINGS for column in each.table.__table__.columns if column.name in SECRETS - each.secret
    }
    assert shown == {"passkeys.public_key", "recommendations.answer"}  # which is public, and a yes or no


async def test_an_export_holds_everything_and_no_secret(office: Office) -> None:
    done = await call(privacy.export_personal_data, office.john, password=PASSWORD)
    told = json.loads(done.json)
    assert told["person"] == office.john.viewer.id
    data = told["data"]
    assert (data["users"][0]["email"], data["users"][0]["first_name"]) == ("john@example.com", "John")
    assert (data["bookings"][0]["special_requests"], data["bookings"][0]["total_amount"]) == ("John's back hurts", "150.00")
    assert (data["payments"][0]["amount"], "client_secret" in data["payments"][0]) == ("150.00", False)
    assert data["faces"][0].keys() == {"id", "user_id", "matcher", "enrolled_at"}
    assert data["passkeys"][0]["name"] == "John's phone"
    assert [each["role"] for each in data["user_roles"]] == ["customer"]
    assert "argon2" not in done.json
    assert {"face_consents", "sessions", "credentials"} <= data.keys()


async def test_an_export_holds_nothing_of_others(office: Office) -> None:
    other = json.loads((await call(privacy.export_personal_data, office.admin, password=PASSWORD)).json)
    assert "John" not in json.dumps(other)
    assert "bookings" not in other["data"]


async def test_an_export_asks_for_the_password(office: Office) -> None:
    for operation in (privacy.export_personal_data, privacy.erase_account):
        for password in (None, "wrong password"):
            with pytest.raises(BadUserInput) as refused:
                await call(operation, office.john, password=password)
            assert list(refused.value.fields) == ["password"]


async def test_only_administrators_act_for_others_and_say_why(office: Office, database: Database) -> None:
    whose = Key[User](number=office.john.viewer.id)
    support = await as_viewer(office.stranger, await join(office.stranger, Role.SUPPORT))
    for operation in (privacy.export_personal_data, privacy.erase_account):
        for stranger in (office.john, support):
            with pytest.raises(Forbidden):
                await call(operation, stranger, user_id=whose, reason="curious")
        with pytest.raises(BadUserInput) as refused:
            await call(operation, office.admin, user_id=whose, reason=" ")
        assert list(refused.value.fields) == ["reason"]
        with pytest.raises(NotFound):
            await call(operation, office.admin, user_id=Key(number=99999), reason="asked by letter")
    assert "John" in (await call(privacy.export_personal_data, office.admin, user_id=whose, reason="asked by letter")).json
    async with database.sessions() as db:
        [request] = (await db.scalars(select(DataRequest))).all()
    assert (request.kind, request.user_id, request.asked_by_id, request.reason) == (
        DataRequestKind.EXPORT,
        office.john.viewer.id,
        office.admin.viewer.id,
        "asked by letter",
    )


async def everywhere(database_url: str, *words: str) -> set[str]:
    """The tables in which one of the words stands anywhere."""
    connection = await asyncpg.connect(database_url)
    try:
        found = set()
        for table in Model.metadata.sorted_tables:
            for row in await connection.fetch(f"SELECT t::text AS row FROM {table.name} t"):  # noqa: S608 - our own names
                if any(word in row["row"] for word in words):
                    found.add(table.name)
        return found
    finally:
        await connection.close()


async def test_after_an_erasure_nobody_finds_the_person_and_the_books_are_whole(
    office: Office, database: Database, database_url: str
) -> None:
    words = ("john@example.com", "Doe", "John", "+15551234567", "back hurts")
    assert {"users", "bookings", "passkeys", "outbox_messages"} <= await everywhere(database_url, *words)
    done = await call(privacy.erase_account, office.john, password=PASSWORD)
    assert "payments" in done.kept
    # The last mail goes to the address, and is forgotten with the other sent ones.
    assert await everywhere(database_url, *words) == {"outbox_messages"}
    async with database.sessions() as db:
        [mail] = (await db.scalars(select(OutboxMessage))).all()
        assert (mail.user_id, mail.subject) == (None, "Your account was erased")
        user = await db.get_one(User, office.john.viewer.id)
        assert (user.email, user.phone, user.first_name, user.is_active, user.biometric_enabled) == (None, None, "", False, False)
        assert user.erased_at is not None
        assert (await db.scalars(select(Payment.amount))).all() == [Decimal("150.00")]
        assert (await db.scalars(select(Booking.customer_id))).all() == [user.id]
        assert (await db.scalars(select(Face))).all() == []
        [consent] = (await db.scalars(select(FaceConsent))).all()
        assert consent.user_id == user.id


async def test_an_erased_person_is_signed_out_and_stays_out(office: Office, settings: Settings, database: Database) -> None:
    await call(privacy.erase_account, office.john, password=PASSWORD)
    with pytest.raises(Unauthenticated):
        await authenticate(database, settings, office.signed_in.access_token)
    with pytest.raises(InvalidCredentials):
        await call(identity.sign_in, office.stranger, email="john@example.com", password=PASSWORD)
    with pytest.raises(InvalidCredentials):
        await call(faces.sign_in_with_face, office.stranger, face_data=synthetic_face("John Doe"))
    with pytest.raises(NotFound):
        await call(privacy.erase_account, office.admin, user_id=Key(number=office.john.viewer.id), reason="again")
    await join(office.stranger, email="john@example.com", phone="+15551234567")  # the address is free


async def test_who_still_expects_something_is_not_erased(office: Office, database: Database) -> None:
    booking = await fill(database, office.john.viewer.id, days=3)
    with pytest.raises(Conflict) as refused:
        await call(privacy.erase_account, office.john, password=PASSWORD)
    assert refused.value.details == {"unfinished": {"bookings": 1}}
    async with database.sessions.begin() as db:
        await db.execute(update(Booking).where(Booking.id == booking).values(status=BookingStatus.CANCELLED))
    await call(privacy.erase_account, office.john, password=PASSWORD)


async def test_cards_are_forgotten_by_the_provider_too(office: Office, database: Database) -> None:
    stripe = office.stranger.gateways.stripe
    customer = await stripe.create_customer("person 1")
    card = await stripe.attach_card("pm_card_visa", customer)
    about = {"brand": card.brand, "last4": card.last4, "exp_month": card.exp_month, "exp_year": card.exp_year}
    async with database.sessions.begin() as db:
        db.add(SavedCard(user_id=office.john.viewer.id, provider_id=card.id, **about))
    await call(privacy.erase_account, office.john, password=PASSWORD)
    assert await stripe.list_cards(customer) == []
    async with database.sessions() as db:
        assert (await db.scalars(select(SavedCard))).all() == []


async def test_staff_that_acted_for_others_can_be_erased_too(office: Office, database: Database) -> None:
    await call(privacy.export_personal_data, office.admin, user_id=Key(number=office.john.viewer.id), reason="asked by letter")
    await call(privacy.erase_account, office.admin, password=PASSWORD)
    async with database.sessions() as db:
        assert office.admin.viewer.id in (await db.scalars(select(DataRequest.asked_by_id))).all()
        assert await db.scalar(select(text("1")).select_from(Entry).limit(1)) is None


def test_a_row_is_either_deleted_or_kept_and_what_is_deleted_needs_no_emptying() -> None:
    assert [each.name for each in HOLDINGS if each.when_erased is DELETED and each.emptied] == []
    assert len({each.name for each in HOLDINGS}) == len(HOLDINGS)


async def test_who_is_forgotten_is_told_and_written_to_no_more(office: Office, database: Database) -> None:
    john = office.john.viewer.id
    async with database.sessions.begin() as db:
        user = await db.get_one(User, john)
        address = user.email or ""
        await give_consent(db, address, ConsentPurpose.SPECIAL_OFFERS, ConsentSource.PREFERENCES, datetime.now(UTC))
        await notify(db, john, NotificationKind.BOOKING_CONFIRMED, SAMPLES[NotificationKind.BOOKING_CONFIRMED])
        db.add(PushDevice(user_id=john, token="phone", platform=PushPlatform.IOS))
    told = json.loads((await call(privacy.export_personal_data, office.john, password=PASSWORD)).json)["data"]
    assert (told["marketing_consents"][0]["email"], told["notifications"][0]["title"]) == (address, "Appointment confirmed")
    assert "token" not in told["push_devices"][0]
    await call(privacy.erase_account, office.john, password=PASSWORD)
    async with database.sessions() as db:
        for table in (MarketingConsent, Notification, PushDevice):
            assert (await db.scalars(select(table))).all() == []
