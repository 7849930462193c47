"""What cannot be a document: Stripe's signed webhook, a file, and the two sockets."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.asked import read_body
from errors import BadUserInput, NotFound
from models.investments import InvestmentDocument
from models.keys import Key
from resolvers.context import Context
from resolvers.investments import get_investment_document_link
from resolvers.operations import perform
from resolvers.stripe_webhooks import handle_stripe_webhook
from rest_compat.coresync.sockets import follow_bookings, follow_room
from rest_compat.routes import AnyRoute, Described, Handler, Parameters, Socket


async def stripe_webhook(request: Request, ctx: Context, _: Parameters) -> dict[str, Any]:
    """Hand the raw body on, since the signature is over its bytes."""
    body = await read_body(request.scope, request.receive, ctx.settings.max_body)
    await perform(handle_stripe_webhook, ctx, {"body": body, "signature": request.headers.get("stripe-signature", "")})
    return {"received": True}


async def investment_document(_: Request, ctx: Context, path: Parameters) -> Response:
    """Lead to the file itself, under a link that is good for a few minutes."""
    try:
        id: Key[InvestmentDocument] = Key.parse(path["id"])
    except BadUserInput:
        raise NotFound from None
    link = await perform(get_investment_document_link, ctx, {"id": id})
    return RedirectResponse(link.url, 302, {"Cache-Control": "private, no-store"})


STRIPE_EVENT = Described(
    body={
        "type": "object",
        "description": "An event as Stripe sends it.",
        "properties": {"id": {"type": "string"}, "type": {"type": "string"}, "data": {"type": "object"}},
        "required": ["id", "type", "data"],
    },
    answer={"type": "object", "properties": {"received": {"type": "boolean"}}, "required": ["received"]},
    headers={"Stripe-Signature": "Stripe's signature of the body's bytes, with its time."},
)

ROUTES: list[AnyRoute] = [
    Handler(
        system="coresync",
        name="HandleStripeWebhook",
        method="POST",
        path="/api/payments/webhook/stripe/",
        operations=(handle_stripe_webhook,),
        run=stripe_webhook,
        described=STRIPE_EVENT,
    ),
    Handler(
        system="coresync",
        name="GetInvestmentDocument",
        method="GET",
        path="/api/investment/documents/{id}/",
        operations=(get_investment_document_link,),
        run=investment_document,
        status=302,
    ),
    Socket("coresync", "FollowRoom", "/ws/iot/room-{number}/", follow_room),
    Socket("coresync", "FollowBookings", "/ws/bookings/", follow_bookings),
]
