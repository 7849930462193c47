"""The three plans, and who is on them."""

import random
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import FIRST_GUEST, GUESTS, JOHN
from demo.world import World, put
from models.memberships import Membership, MembershipCredit, MembershipStatus, Plan

MENSUITE, CORESYNC_PRIVATE, UNLIMITED = 1, 2, 3

PLANS: list[dict[str, Any]] = [
    {
        "id": MENSUITE, "name": "Mensuite", "slug": "mensuite", "price": Decimal(199), "color_scheme": "#1a1a1a", "icon": "fa-male",
        "description": "Men's Spa access: every Mensuite treatment at the member's price, with room controls in your own hands.",
        "benefits": ["Access to all men's services", "20% discount on services", "Priority booking"],
        "discount_percentage": 20, "mensuite_access": True, "iot_control_access": True, "priority_booking": True,
        "monthly_service_credits": 2, "guest_passes": 1,
    },
    {
        "id": CORESYNC_PRIVATE, "name": "Coresync Private", "slug": "coresync-private", "price": Decimal(299),
        "color_scheme": "#5b3a8c", "icon": "fa-heart",
        "description": "Couple's Spa access: private suites for two with immersive screens, and scenes that you make yourselves.",
        "benefits": ["Access to all couple's services", "20% discount on add-ons", "Priority booking", "Private suites"],
        "discount_percentage": 20, "coresync_private_access": True, "iot_control_access": True, "priority_booking": True,
        "monthly_service_credits": 2, "guest_passes": 2,
    },
    {
        "id": UNLIMITED, "name": "Unlimited", "slug": "unlimited", "price": Decimal(399), "color_scheme": "#b8860b", "icon": "fa-infinity",
        "description": "Everything in both houses: all treatments at the member's price, four of them a month already paid for.",
        "benefits": ["Access to all services", "25% discount on add-ons", "Priority booking", "Four service credits a month",
                     "Four guest passes a month"],
        "discount_percentage": 25, "mensuite_access": True, "coresync_private_access": True, "iot_control_access": True,
        "priority_booking": True, "monthly_service_credits": 4, "guest_passes": 4, "tier": "premium", "is_featured": True,
    },
]  # fmt: skip


def plan_of(guest: int) -> int | None:
    """The plan that a guest is on, by their number; about half of them are on none."""
    return {0: MENSUITE, 1: UNLIMITED, 2: CORESYNC_PRIVATE, 3: MENSUITE}.get(guest % 8)


async def fill(db: AsyncSession, world: World) -> None:
    """Plans, and memberships that began at some time within the last year and a half."""
    await put(db, Plan, [{"tier": "standard", **dict.fromkeys(_every_key(), False), **plan} for plan in PLANS])
    dice = random.Random("memberships")  # noqa: S311 - the same in every demo
    begun = [(JOHN, UNLIMITED, 200)] + [
        (guest, plan, dice.randint(5, 520)) for guest in range(FIRST_GUEST, FIRST_GUEST + GUESTS) if (plan := plan_of(guest))
    ]
    numbers = await put(db, Membership, [_membership(world, *each, dice) for each in begun])
    month = world.today.replace(day=1)
    await put(db, MembershipCredit, [{"membership_id": numbers[0], "month": month, "used": 2}])


def _every_key() -> list[str]:
    return ["mensuite_access", "coresync_private_access", "iot_control_access", "priority_booking", "is_featured"]


def _membership(world: World, user: int, plan: int, days_ago: int, dice: random.Random) -> dict[str, Any]:
    is_over = days_ago > 364
    status = MembershipStatus.EXPIRED if is_over else MembershipStatus.ACTIVE
    if not is_over and user != JOHN and dice.random() < 0.06:
        status = MembershipStatus.CANCELLED
    return {
        "user_id": user, "plan_id": plan, "status": status, "starts_on": world.day(-days_ago), "ends_on": world.day(364 - days_ago),
        "auto_renew": status is MembershipStatus.ACTIVE,
    }  # fmt: skip
