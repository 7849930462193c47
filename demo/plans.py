"""What John will do: booked, and paid with his saved card, as he would himself."""

from typing import Any

from demo.people import JOHN
from demo.spa_menu import ADDONS
from demo.visits import JOHNS_PLANS, johns
from demo.world import World
from models.identity import Role
from models.keys import Key
from resolvers.appointments import book_appointment
from resolvers.context import Context, Viewer
from resolvers.operations import perform
from resolvers.payments import confirm_payment, create_payment_intent

WISHES = "Prefer warm towels"


async def play(ctx: Context, world: World) -> None:
    """Book John's appointments to come; the last one he has not paid for yet."""
    john = ctx.with_viewer(Viewer(JOHN, frozenset({Role.CUSTOMER})))
    slots = [slot for slot in johns(world, JOHNS_PLANS) if slot.starts_at > ctx.now()]
    for slot in slots:
        wanted: dict[str, Any] = {
            "service_id": Key(number=slot.offered.number),
            "starts_at": slot.starts_at,
            "room_id": Key(number=slot.room),
        }
        if slot is not slots[0]:  # his credits cover the services, so that only extras are left to pay
            wanted["addon_ids"] = [
                Key(number=number) for number, (service, *_) in enumerate(ADDONS, start=1) if service == slot.offered.number
            ]
        key = f"demo {slot.starts_at.isoformat()}"
        booking = await perform(book_appointment, john, {**wanted, "special_requests": WISHES}, key=key)
        if booking.total_amount and slot is not slots[-1]:
            begun = await perform(create_payment_intent, john, {"booking_id": Key(number=booking.id)}, key=f"{key} begun")
            await perform(confirm_payment, john, {"payment_intent_id": begun.payment_intent_id}, key=f"{key} paid")
