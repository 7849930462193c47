"""The demo route that plays the customer at the simulated Stripe, through the running app."""

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from main import create_app
from models.bookings import BookingStatus
from models.database import Database
from resolvers.context import Context
from settings import Settings
from tests.paying import begin, booking_now, by, hook, make_booking
from tests.worlds import make_person


async def context(app: Starlette) -> Context:
    made: Context = app.state.runtime.context(request_id="req_test", address="test")
    return made


async def test_a_customer_pays_and_the_booking_is_confirmed_by_the_webhook(
    app: Starlette, client: httpx2.AsyncClient, database: Database
) -> None:
    ann = await make_person(database)
    booking = await make_booking(database, ann)
    begun = await begin(by(await context(app), ann), booking)
    answer = await client.post("/demo/stripe/pay", json={"payment_intent_id": begun.payment_intent_id})
    assert answer.json() == {"payment_intent_id": begun.payment_intent_id, "status": "succeeded"}
    for _ in range(250):
        if (now := await booking_now(database, booking)).status is BookingStatus.CONFIRMED:
            break
        await asyncio.sleep(0.02)
    assert now.status is BookingStatus.CONFIRMED
    again = await client.post("/demo/stripe/pay", json={"payment_intent_id": begun.payment_intent_id})
    assert again.status_code == 409


async def test_a_held_webhook_is_delivered_by_whoever_holds_it(app: Starlette, client: httpx2.AsyncClient, database: Database) -> None:
    ann, ctx = await make_person(database), await context(app)
    booking = await make_booking(database, ann)
    begun = await begin(by(ctx, ann), booking)
    answer = await client.post("/demo/stripe/pay?hold_webhook=true", json={"payment_intent_id": begun.payment_intent_id})
    assert (await booking_now(database, booking)).status is BookingStatus.PENDING
    for _ in range(2):
        await hook(ctx, **answer.json()["webhook"])
    assert (await booking_now(database, booking)).status is BookingStatus.CONFIRMED


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"payment_intent_id": 5}', "{", '{"payment_intent_id": "pi_x", "fail": "no"}'])
async def test_a_malformed_wish_is_refused(client: httpx2.AsyncClient, body: str) -> None:
    assert (await client.post("/demo/stripe/pay", content=body)).status_code == 400


@pytest.mark.parametrize("wish", [{"payment_intent_id": "pi_nobody"}, {"payment_intent_id": "\x00"}])
async def test_an_unknown_intent_is_not_found(client: httpx2.AsyncClient, wish: dict[str, Any]) -> None:
    assert (await client.post("/demo/stripe/pay", json=wish)).status_code == 404


def test_production_has_no_such_route(settings: Settings) -> None:
    strict = settings.model_copy(update={"mode": "production", "is_demo": False})
    assert "/demo/stripe/pay" not in {getattr(each, "path", "") for each in create_app(strict, "postgresql://").routes}
    assert "/demo/stripe/pay" in {getattr(each, "path", "") for each in create_app(settings, "postgresql://").routes}
