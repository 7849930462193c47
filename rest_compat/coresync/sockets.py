"""CoreSync's two sockets: the devices of a room, and the caller's bookings."""

from typing import Any

from starlette.websockets import WebSocket

from resolvers.context import Context
from resolvers.rooms import get_followed_room
from rest_compat.dialect import utc_z
from rest_compat.routes import Parameters
from rest_compat.sockets import NOT_FOUND, entered, follow
from subscriptions.log import Record

SENTENCES = {
    "booking.requested": "Your booking has been received",
    "booking.confirmed": "Your appointment has been confirmed",
    "booking.rescheduled": "Your appointment has been moved",
    "booking.started": "Your appointment has begun",
    "booking.completed": "Your appointment is complete",
    "booking.cancelled": "Your appointment has been cancelled",
    "booking.paid": "Your payment has been received",
    "booking.refunded": "Your payment has been refunded",
}


async def follow_bookings(websocket: WebSocket, ctx: Context, _: Parameters) -> None:
    """The caller's own bookings; all of them for staff."""
    if known := await entered(websocket, ctx):
        topics = ["bookings"] if known.viewer.is_staff else [f"user:{known.viewer.id}"]
        was_staff = known.viewer.is_staff

        async def may(now: Context) -> bool:
            return now.viewer.is_staff or not was_staff

        await follow(websocket, known, topics, booking_message, may)


async def follow_room(websocket: WebSocket, ctx: Context, parameters: Parameters) -> None:
    """The devices of a room, for whoever may set them."""
    known = await entered(websocket, ctx)
    if known is None:
        return
    number = parameters["number"]
    room = await _room(known, int(number)) if number.isascii() and number.isdigit() and len(number) <= 9 else None
    if room is None:
        await websocket.close(NOT_FOUND, "There is no such room for you.")
        return

    async def may(now: Context) -> bool:
        return await _room(now, int(number)) is not None

    await follow(websocket, known, [f"room:{room}"], device_message, may)


async def _room(ctx: Context, door_number: int) -> int | None:
    rows = await ctx.fetch(get_followed_room(ctx, door_number=door_number))
    return rows[0]["id"] if rows else None


def booking_message(record: Record) -> dict[str, Any] | None:
    """{"type": "booking_confirmed", "booking_id": 123, "message": "…"}."""
    if record.kind not in SENTENCES:
        return None
    return {"type": record.kind.replace(".", "_"), "booking_id": record.subject_id, "message": SENTENCES[record.kind]}


def device_message(record: Record) -> dict[str, Any] | None:
    """{"type": "device_status_update", "device_id": 1, "status": {…}, "timestamp": "…"}."""
    if record.kind != "device.changed":
        return None
    return {
        "type": "device_status_update",
        "device_id": record.subject_id,
        "status": record.data["state"],
        "timestamp": utc_z(record.at),
    }
