"""What cannot be a document: Stripe's signed webhook, and the two sockets."""

from typing import Any

from starlette.requests import Request

from engine.asked import read_body
from resolvers.context import Context
from resolvers.operations import perform
from resolvers.stripe_webhooks import handle_stripe_webhook
from rest_compat.coresync.sockets import follow_bookings, follow_room
from rest_compat.routes import AnyRoute, Handler, Parameters, Socket


async def stripe_webhook(request: Request, ctx: Context, _: Parameters) -> dict[str, Any]:
    """Hand the raw body on, since the signature is over its bytes."""
    body = await read_body(request.scope, request.receive, ctx.settings.max_body)
    await perform(handle_stripe_webhook, ctx, {"body": body, "signature": request.headers.get("stripe-signature", "")})
    return {"received": True}


ROUTES: list[AnyRoute] = [
    Handler(
        system="coresync",
        name="HandleStripeWebhook",
        method="POST",
        path="/api/payments/webhook/stripe/",
        operations=(handle_stripe_webhook,),
        run=stripe_webhook,
    ),
    Socket("coresync", "FollowRoom", "/ws/iot/room-{number}/", follow_room),
    Socket("coresync", "FollowBookings", "/ws/bookings/", follow_bookings),
]
