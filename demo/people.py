"""The people of the demo: those whom the documentation names, and guests who have been here over the last year."""

import asyncio
import random
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from demo.world import World, put
from models.identity import Credential, CredentialKind, Role, User, UserRole
from models.scheduling import Resource, ResourceKind
from resolvers.passwords import hash_password

JOHN, CASEY, PAT, MORGAN, JANE, RILEY, SAM, ASHA, PRIYA, DEV, ADMIN = range(1, 12)
GUESTS = 160
FIRST_GUEST = 101
"""Numbers below are kept for people whom a document names."""

# number, first and last name, e-mail, phone, password, roles
NAMED: list[tuple[int, str, str, str | None, str | None, str | None, tuple[Role, ...]]] = [
    (JOHN, "John", "Doe", "user@example.com", "+1234567890", "password123", (Role.CUSTOMER,)),
    (CASEY, "Casey", "Customer", "customer@example.com", None, "customer-password", (Role.CUSTOMER,)),
    (PAT, "Pat", "Provider", "provider@example.com", None, "provider-password", (Role.PROVIDER,)),
    (MORGAN, "Morgan", "Manager", "manager@example.com", None, "password123", (Role.MANAGEMENT,)),
    (JANE, "Jane", "Smith", "jane@example.com", "+15550100005", "password123", (Role.CUSTOMER, Role.FACILITATOR)),
    (RILEY, "Riley", "Attendee", "attendee@example.com", "+15550100006", "password123", (Role.CUSTOMER,)),
    (SAM, "Sam", "Seller", "sales@example.com", None, "password123", (Role.CUSTOMER,)),
    (ASHA, "Asha", "Home", "asha@example.com", "+911234567890", None, (Role.CUSTOMER,)),
    (PRIYA, "Priya", "Sharma", None, "+919876543210", None, (Role.PARTNER,)),
    (DEV, "Dev", "Nath", None, "+919876543211", None, (Role.PARTNER,)),
    (ADMIN, "Admin", "User", "admin@minuteserv.com", None, "password123", (Role.SUPER_ADMIN,)),
]
FIRST_NAMES = (
    "Amelia Aaron Beatriz Bruno Chloe Carlos Daniela Derek Elena Ethan Fatima Felix Grace George Hannah Hugo Imani Ivan Jasmine Julian "
    "Keiko Kevin Leila Lucas Maya Marcus Nadia Noah Olivia Oscar Paula Peter Quinn Rosa Rafael Sofia Samuel Tara Theo Victor"
).split()
LAST_NAMES = (
    "Abbott Bennett Castillo Dawson Ellis Fischer Gupta Hughes Ibrahim Jensen Keller Lindqvist Moreno Nakamura Okafor Petrov "
    "Ramirez Silva Tanaka Underwood Vargas Whitfield Young Zimmer"
).split()


def guests() -> list[tuple[str, str]]:
    """First and last names of the guests; no two are the same."""
    every = [(first, last) for first in FIRST_NAMES for last in LAST_NAMES]
    return random.Random("guests").sample(every, GUESTS)  # noqa: S311 - the same people in every demo


async def fill(db: AsyncSession, world: World) -> None:
    """Everybody, with their roles and what they sign in with."""
    crowd = guests()
    resources = await put(db, Resource, [{"kind": ResourceKind.PERSON}] * (len(NAMED) + len(crowd)))
    named: list[dict[str, Any]] = [
        {"id": number, "first_name": first, "last_name": last, "email": email, "phone": phone}
        for number, first, last, email, phone, _, _ in NAMED
    ]
    unnamed: list[dict[str, Any]] = [
        {
            "id": FIRST_GUEST + index,
            "first_name": first,
            "last_name": last,
            "email": f"{first}.{last}@example.com".lower(),
            "phone": f"+1555010{1000 + index}",
        }
        for index, (first, last) in enumerate(crowd)
    ]
    everybody = [{**row, "resource_id": resource} for row, resource in zip([*named, *unnamed], resources, strict=True)]
    await put(db, User, everybody)
    roles = [{"user_id": number, "role": role} for number, *_, held in NAMED for role in held]
    await put(db, UserRole, roles + [{"user_id": row["id"], "role": Role.CUSTOMER} for row in unnamed])
    await put(db, Credential, [
        {"user_id": number, "kind": CredentialKind.PASSWORD, "secret": world.hashes[password]}
        for number, *_, password, _ in NAMED if password
    ])  # fmt: skip


async def hash_passwords() -> dict[str, str]:
    """A hash for each demo password."""
    passwords = sorted({password for *_, password, _ in NAMED if password})
    return dict(zip(passwords, await asyncio.gather(*map(hash_password, passwords)), strict=True))
