"""Accounts and memberships as clients see them, through the GraphQL door."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from sqlalchemy import update

from engine.execute import Engine
from models.database import Database
from models.identity import Role, UserRole
from models.memberships import Membership, MembershipCredit, MembershipStatus, Plan
from models.scheduling import Location, Schedule
from resolvers.lockout import TRIES_PER_ACCOUNT
from settings import Settings
from tests.people import PASSWORD

REGISTER = """
mutation Register($input: RegistrationInput!) { register(input: $input) { accessToken refreshToken expiresAt user { ...Everything } } }
fragment Everything on User {
  id number uuid email phone firstName lastName roles emailNotifications smsNotifications biometricEnabled membershipStatus isMember
  membership { status daysRemaining servicesUsedThisMonth canUseServiceCredit plan { name } }
}
"""
SIGN_IN = "mutation SignIn($email: EmailAddress!, $password: String!) { signIn(email: $email, password: $password) { accessToken } }"
ME = (
    "{ me { email membershipStatus isMember membership { status daysRemaining servicesUsedThisMonth canUseServiceCredit plan { name } } } }"
)
ANN = {"email": "Ann@Example.com", "password": PASSWORD, "firstName": "Ann", "phone": "(555) 123-4567"}
NEW_YORK = ZoneInfo("America/New_York")


class Door:
    """The GraphQL door, with whoever is signed in."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self.token: str | None = None

    async def ask(self, text: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = await self.client.post("/graphql", json={"query": text, "variables": variables}, headers=headers)
        body: dict[str, Any] = answer.json()
        return body

    async def data(self, text: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        body = await self.ask(text, **variables)
        assert "errors" not in body, body
        return body["data"]

    async def code(self, text: str, **variables: Any) -> str:
        """The code of the only error."""
        [error] = (await self.ask(text, **variables))["errors"]
        return str(error["extensions"]["code"])

    async def join(self, **about: Any) -> Any:
        """Register, and stay signed in."""
        joined = (await self.data(REGISTER, input={**ANN, **about}))["register"]
        self.token = joined["accessToken"]
        return joined


@pytest.fixture
def door(client: httpx2.AsyncClient) -> Door:
    return Door(client)


async def test_registering_answers_tokens_and_the_whole_account(door: Door) -> None:
    joined = await door.join()
    user = joined["user"]
    assert (user["email"], user["phone"], user["firstName"], user["lastName"]) == ("ann@example.com", "+15551234567", "Ann", "")
    assert (user["roles"], user["membershipStatus"], user["isMember"], user["membership"]) == (["CUSTOMER"], "none", False, None)
    assert (user["emailNotifications"], user["smsNotifications"], user["biometricEnabled"]) == (True, False, False)
    assert datetime.fromisoformat(joined["expiresAt"]) > datetime.now(UTC)
    assert (await door.data(ME))["me"]["email"] == "ann@example.com"


@pytest.mark.parametrize(
    ("about", "code", "field"),
    [
        ({"email": "ann"}, "BAD_USER_INPUT", "email"),
        ({"phone": "call me"}, "BAD_USER_INPUT", "phone"),
        ({"email": None}, "BAD_USER_INPUT", "email"),
        ({"firstName": 5}, "BAD_USER_INPUT", "firstName"),
        ({"password": "short"}, "BAD_USER_INPUT", "password"),
        ({"firstName": "x" * 200}, "BAD_USER_INPUT", "firstName"),
        ({"email": "ANN@example.com", "phone": None}, "ALREADY_EXISTS", "email"),
        ({"email": "other@example.com"}, "ALREADY_EXISTS", "phone"),
        ({"role": "SUPER_ADMIN"}, "BAD_USER_INPUT", "role"),
    ],
    ids=str,
)
async def test_a_bad_registration_is_refused_with_its_field(door: Door, about: dict[str, str], code: str, field: str) -> None:
    if code == "ALREADY_EXISTS":
        await door.join()
    [error] = (await door.ask(REGISTER, input={**ANN, **about}))["errors"]
    assert error["extensions"]["code"] == code
    assert PASSWORD not in str(error)
    assert list(error["extensions"]["fields"]) == [field]


async def test_nobody_is_not_told_who_they_are(door: Door) -> None:
    assert await door.code(ME) == "UNAUTHENTICATED"
    door.token = "nonsense"
    assert await door.code(ME) == "UNAUTHENTICATED"


async def test_tokens_turn_and_signing_out_ends_them_at_once(door: Door) -> None:
    refresh = "mutation Refresh($token: String!) { refreshToken(refreshToken: $token) { accessToken refreshToken user { number } } }"
    joined = await door.join()
    fresh = (await door.data(refresh, token=joined["refreshToken"]))["refreshToken"]
    door.token = fresh["accessToken"]
    assert (await door.data("mutation { signOut { ended } }")) == {"signOut": {"ended": 1}}
    assert await door.code(ME) == "UNAUTHENTICATED"
    door.token = None
    assert await door.code(refresh, token=fresh["refreshToken"]) == "UNAUTHENTICATED"


async def test_a_role_that_was_taken_is_gone_from_the_next_answer(door: Door, database: Database) -> None:
    number = (await door.join())["user"]["number"]
    async with database.sessions.begin() as db:
        db.add(UserRole(user_id=number, role=Role.FACILITATOR))
        db.add(UserRole(user_id=number, role=Role.MANAGEMENT, is_approved=False))
    assert (await door.data("{ me { roles } }"))["me"]["roles"] == ["CUSTOMER", "FACILITATOR"]
    async with database.sessions.begin() as db:
        await db.execute(update(UserRole).where(UserRole.role == Role.FACILITATOR).values(is_approved=False))
    assert (await door.data("{ me { roles } }"))["me"]["roles"] == ["CUSTOMER"]


async def test_fifty_sign_ins_in_one_document_are_refused_as_a_whole(door: Door) -> None:
    await door.join()
    guesses = " ".join(f'g{n}: signIn(email: "ann@example.com", password: "guess {n}") {{ accessToken }}' for n in range(50))
    answer = await door.ask(f"mutation {{ {guesses} }}")
    assert "data" not in answer
    two = 'signIn(email: "ann@example.com", password: "p") { accessToken }'
    answer = await door.ask(f"mutation {{ {two} again: {two} }}")
    assert "data" not in answer
    assert (await door.data(SIGN_IN, email="ann@example.com", password=PASSWORD))["signIn"]["accessToken"]


async def test_a_locked_account_says_when_to_come_back(door: Door) -> None:
    await door.join()
    for number in range(TRIES_PER_ACCOUNT):
        assert await door.code(SIGN_IN, email="ann@example.com", password=f"guess {number}") == "INVALID_CREDENTIALS"
    [error] = (await door.ask(SIGN_IN, email="ANN@example.com", password=PASSWORD))["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 800 < error["extensions"]["retryAfter"] <= 900


async def test_profile_and_password_change_through_the_door(door: Door) -> None:
    await door.join()
    patch = (
        "mutation Patch($patch: ProfilePatch!, $password: String) { updateProfile(patch: $patch, password: $password) { lastName phone } }"
    )
    assert (await door.data(patch, patch={"lastName": "Lee"}))["updateProfile"] == {"lastName": "Lee", "phone": "+15551234567"}
    assert await door.code(patch, patch={"phone": "+1 555 000 1111"}) == "BAD_USER_INPUT"
    assert (await door.data(patch, patch={"phone": "+1 555 000 1111"}, password=PASSWORD))["updateProfile"]["phone"] == "+15550001111"
    change = 'mutation Change($now: String!) { changePassword(currentPassword: $now, newPassword: "entirely new one") { number } }'
    assert await door.code(change, now="wrong") == "BAD_USER_INPUT"
    await door.data(change, now=PASSWORD)
    assert await door.code(SIGN_IN, email="ann@example.com", password=PASSWORD) == "INVALID_CREDENTIALS"
    await door.data(SIGN_IN, email="ann@example.com", password="entirely new one")


async def test_only_older_systems_renew_an_access_token_without_turning_the_refresh_token(door: Door, settings: Settings) -> None:
    renew = "mutation Renew($token: String!) { renewAccessToken(refreshToken: $token) { accessToken } }"
    assert await door.code(renew, token="any") == "GRAPHQL_VALIDATION_FAILED"
    assert not Engine(settings, raw=True).documents.get(renew).errors


# Memberships


async def enrol(database: Database, user_id: int, *, starts: date, ends: date, status: MembershipStatus = MembershipStatus.ACTIVE) -> int:
    """Put a person on a plan with two services a month, in a house in New York."""
    async with database.sessions.begin() as db:
        schedule = Schedule(name="always", time_zone="America/New_York")
        db.add(Location(name="Here", slug="here", time_zone="America/New_York", schedule=schedule))
        plan = Plan(name="Unlimited", slug="unlimited", price=Decimal(399), tier="premium", monthly_service_credits=2)
        membership = Membership(user_id=user_id, plan=plan, status=status, starts_on=starts, ends_on=ends)
        db.add(membership)
        await db.flush()
        return membership.id


@pytest.mark.parametrize(
    ("starts", "ends", "status", "called"),
    [
        (-10, 45, MembershipStatus.ACTIVE, "premium"),
        (0, 0, MembershipStatus.ACTIVE, "premium"),
        (-10, -1, MembershipStatus.ACTIVE, "expired"),
        (-10, -1, MembershipStatus.EXPIRED, "expired"),
        (-10, 45, MembershipStatus.CANCELLED, "none"),
        (1, 45, MembershipStatus.ACTIVE, "none"),
    ],
)
async def test_what_a_member_is_called_follows_the_houses_calendar(
    door: Door, database: Database, starts: int, ends: int, status: MembershipStatus, called: str
) -> None:
    today = datetime.now(NEW_YORK).date()
    number = (await door.join())["user"]["number"]
    await enrol(database, number, starts=today + timedelta(starts), ends=today + timedelta(ends), status=status)
    me = (await door.data(ME))["me"]
    assert (me["membershipStatus"], me["isMember"]) == (called, called == "premium")
    assert (me["membership"] is not None) == (called == "premium")
    mine = (await door.data("{ myMembership { daysRemaining plan { name } } }"))["myMembership"]
    assert mine == ({"daysRemaining": ends, "plan": {"name": "Unlimited"}} if called == "premium" else None)


async def test_credits_are_counted_by_the_month(door: Door, database: Database) -> None:
    today = datetime.now(NEW_YORK).date()
    number = (await door.join())["user"]["number"]
    membership_id = await enrol(database, number, starts=today - timedelta(60), ends=today + timedelta(45))
    this_month = today.replace(day=1)
    last_month = (this_month - timedelta(1)).replace(day=1)
    seen = []
    for month, used in ((last_month, 2), (this_month, 1), (this_month, 2)):
        async with database.sessions.begin() as db:
            await db.execute(update(MembershipCredit).where(MembershipCredit.month == month).values(used=used))
            if used == 1 or month == last_month:
                db.add(MembershipCredit(membership_id=membership_id, month=month, used=used))
        membership = (await door.data(ME))["me"]["membership"]
        seen.append((membership["servicesUsedThisMonth"], membership["canUseServiceCredit"]))
    assert seen == [(0, True), (1, True), (2, False)]


async def test_everybody_sees_the_plans_and_only_members_their_membership(door: Door, database: Database) -> None:
    today = datetime.now(NEW_YORK).date()
    member = (await door.join())["user"]["number"]
    await enrol(database, member, starts=today, ends=today)
    await door.join(email="other@example.com", phone=None)
    assert (await door.data("{ myMembership { number } }"))["myMembership"] is None
    door.token = None
    assert (await door.data("{ plans { name price monthlyServiceCredits } }"))["plans"] == [
        {"name": "Unlimited", "price": "399.00", "monthlyServiceCredits": 2}
    ]
    assert await door.code("{ myMembership { number } }") == "UNAUTHENTICATED"
