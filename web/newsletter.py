"""The pages that links in mails lead to: confirming the newsletter, and unsubscribing.

A GET changes nothing, since programs follow links before people do; the button of the page, or the mail program itself
(RFC 8058), sends the POST that does.
"""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from engine.answers import refusal_of
from engine.request import begin_context
from engine.runtime import runtime_of
from errors import ApiError
from web.pages import HEADERS, TEMPLATES

CONFIRM = "mutation ConfirmNewsletter($token: String!) { confirmNewsletter(token: $token) { purposes } }"
UNSUBSCRIBE = (
    "mutation Unsubscribe($token: String!, $everything: Boolean!) { unsubscribe(token: $token, everything: $everything) { purposes } }"
)
WITH_FORMS = {**HEADERS, "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")}


@dataclass(frozen=True)
class Choice:
    """A button of a page."""

    label: str
    everything: bool = False


@dataclass(frozen=True)
class Leaf:
    """One page: what it asks, and what it says when that is done."""

    heading: str
    question: str
    choices: tuple[Choice, ...]
    done: str
    operation: str


CONFIRMING = Leaf(
    "Our newsletter",
    "Please confirm that you want our mails at this address.",
    (Choice("Yes, I want them"),),
    "Thank you, your subscription is confirmed.",
    CONFIRM,
)
UNSUBSCRIBING = Leaf(
    "Unsubscribe",
    "Which mails should we not send you any more?",
    (Choice("Mails like this one"), Choice("All news and offers", everything=True)),
    "Done. We send you no more of these.",
    UNSUBSCRIBE,
)


async def confirm(request: Request) -> Response:
    """Confirm a subscription to the newsletter."""
    return await _answer(request, CONFIRMING)


async def unsubscribe(request: Request) -> Response:
    """End mails of one sort, or of all."""
    return await _answer(request, UNSUBSCRIBING)


async def _answer(request: Request, leaf: Leaf) -> Response:
    token, everything = request.query_params.get("token", ""), request.query_params.get("everything") == "true"
    if request.method != "POST":
        return _page(leaf, token=token)
    variables = {"token": token, **({"everything": everything} if leaf is UNSUBSCRIBING else {})}
    engine = runtime_of(request.scope).engine
    answer = await engine.run(leaf.operation, begin_context(request.scope), variables=variables)
    if not answer.errors:
        return _page(leaf, done=leaf.done)
    refusal = refusal_of(answer.errors[0]) or ApiError()
    said = next(iter(refusal.fields.values()), refusal.message)
    return _page(leaf, done=said, status=refusal.status)


def _page(leaf: Leaf, *, token: str = "", done: str = "", status: int = HTTPStatus.OK) -> Response:
    page = TEMPLATES.get_template("newsletter.html").render(leaf=leaf, token=token, done=done)
    return HTMLResponse(page, status, headers=WITH_FORMS)


def newsletter_routes() -> list[BaseRoute]:
    return [
        Route("/newsletter/confirm", confirm, methods=["GET", "POST"]),
        Route("/newsletter/unsubscribe", unsubscribe, methods=["GET", "POST"]),
    ]
