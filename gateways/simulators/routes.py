"""The routes of demo mode that play the other side of the simulated services. None of them exists in production."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateways.simulators.stripe import StripeSimulator
from gateways.simulators.stripe_wire import StripeRefuses


def stripe_routes(simulator: Callable[[], StripeSimulator]) -> list[BaseRoute]:
    """The customer's side at the simulated Stripe; the simulator is asked for once a request comes."""

    async def pay(request: Request) -> Response:
        """Pay as the customer would: with a card, and answering the bank's question."""
        try:
            wanted = await request.json()
            intent, method = wanted["payment_intent_id"], wanted.get("payment_method", "pm_card_visa")
            fails = wanted.get("fail", False)
        except (ValueError, TypeError, KeyError, AttributeError):
            return _refused('The body is {"payment_intent_id": "pi_…", "payment_method"?: "pm_card_visa", "fail"?: false}.', 400)
        if not isinstance(intent, str) or not isinstance(method, str) or not isinstance(fails, bool):
            return _refused("payment_intent_id and payment_method are texts, fail is true or false.", 400)
        hold = request.query_params.get("hold_webhook", "").lower() in ("true", "1", "yes")
        try:
            return JSONResponse(await simulator().pay(intent, method, fails=fails, hold=hold))
        except StripeRefuses as refusal:
            return _refused(str(refusal), 409 if refusal.error.get("code") == "payment_intent_unexpected_state" else refusal.status)

    return [Route("/demo/stripe/pay", pay, methods=["POST"])]


def _refused(message: str, status: int) -> Response:
    return JSONResponse({"error": {"message": message}}, status)
