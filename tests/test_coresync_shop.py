"""CoreSync's documented examples of shop, concierge and investments, for an old client."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from demo.prospectus import pdf
from models.database import Database
from models.files import FilePurpose
from models.identity import Role
from models.investments import OpportunityStatus
from models.keys import Key
from resolvers import files, investments
from resolvers.context import Context
from resolvers.inputs.files import UploadInput
from resolvers.inputs.investments import OpportunityInput
from resolvers.operations import perform
from tests.documented import Contract, differences
from tests.people import as_viewer, join
from tests.shopping import make_product, save_card

CONTRACT = Contract("coresync")
SOON = (datetime.now(UTC).date() + timedelta(days=9)).isoformat()


@dataclass
class App:
    """An old client with John, whose card is saved and who may invest, and Ann, who has neither."""

    http: httpx2.AsyncClient
    john: str
    ann: str

    async def ask(self, id: str, who: str | None = None, **details: Any) -> httpx2.Response:
        endpoint = CONTRACT[id]
        path = "/coresync" + endpoint["path"].format_map(details.pop("path", {}))
        return await self.http.request(endpoint["method"], path, headers={"Authorization": f"Bearer {who}"} if who else {}, **details)

    async def good(self, id: str, who: str | None = None, *, status: int = 200, **details: Any) -> Any:
        answer = await self.ask(id, who, **details)
        assert answer.status_code == status, answer.text
        assert list(differences(CONTRACT.shown(id), answer.json())) == []
        return answer.json()

    async def refused(self, id: str, status: int, who: str | None = None, **details: Any) -> dict[str, Any]:
        answer = await self.ask(id, who, **details)
        assert answer.status_code == status, answer.text
        error: dict[str, Any] = answer.json()["error"]
        return error


@pytest.fixture
async def app_of_john(app: Starlette, client: httpx2.AsyncClient, database: Database) -> App:
    ctx: Context = app.state.runtime.context(request_id="req_test", address="test")
    john, ann, clerk = await join(ctx, Role.INVESTOR), await join(ctx), await as_viewer(ctx, await join(ctx, Role.ADMIN))
    await save_card(database, john.user)
    await make_product(database, description="Anti-aging serum", image="/media/products/serum.jpg", is_featured=True)
    await make_product(database, "Beard Oil", category="grooming")
    terms = {"title": "NYC", "description": "Manhattan", "expected_roi": "15-20%", "timeline": "18-24 months"}
    offered = await perform(investments.create_opportunity, clerk, {"input": OpportunityInput(**terms, minimum_investment=Decimal(50_000))})
    id: dict[str, Any] = {"id": Key(number=offered.id)}
    await perform(investments.move_opportunity, clerk, {**id, "status": OpportunityStatus.OPEN})
    wanted = UploadInput(name="prospectus.pdf", content_type="application/pdf", purpose=FilePurpose.INVESTMENT_DOCUMENT)
    begun = await perform(files.begin_upload, clerk, {"input": wanted})
    assert (
        await client.put(begun.url, content=pdf("NYC", "Text"), headers={each.name: each.value for each in begun.headers})
    ).status_code == 200
    added = {"opportunity_id": id["id"], "file_id": Key(number=begun.file.id), "name": "Investment Prospectus"}
    await perform(investments.add_investment_document, clerk, added)
    return App(client, john.access_token, ann.access_token)


async def test_products_are_shown_and_narrowed(app_of_john: App) -> None:
    found = await app_of_john.good("shop.products", params={"category": "skincare", "featured": "true"})
    assert [each["name"] for each in found["results"]] == ["Premium Face Serum"]
    assert (found["count"], found["next"]) == (1, None)
    assert (await app_of_john.good("shop.products", params={"page_size": "1"}))["next"].endswith("page_size=1&page=2")


async def test_a_purchase_is_charged_to_the_saved_card(app_of_john: App) -> None:
    wanted = CONTRACT.sent("shop.purchase", pickup_date=SOON)
    bought = await app_of_john.good("shop.purchase", app_of_john.john, json=wanted, status=201)
    assert (bought["total_amount"], bought["pickup_ready"], bought["payment_status"]) == ("178.00", SOON, "charged")
    assert (await app_of_john.ask("shop.purchase", app_of_john.ann, json=wanted)).json()["payment_status"] == "pending"


async def test_bad_purchases_are_refused(app_of_john: App) -> None:
    wanted, john = CONTRACT.sent("shop.purchase", pickup_date=SOON), app_of_john.john
    for change, field in (({"quantity": 0}, "quantity"), ({"pickup_date": "2020-01-01"}, "pickup_date"), ({"quantity": "two"}, "quantity")):
        error = await app_of_john.refused("shop.purchase", 422, john, json={**wanted, **change})
        assert list(error["details"]) == [field]
    assert list((await app_of_john.refused("shop.purchase", 422, john, json={}))["details"]) == ["product_id"]
    assert (await app_of_john.refused("shop.purchase", 404, john, json={**wanted, "product_id": 999}))["code"] == "NOT_FOUND"
    assert (await app_of_john.refused("shop.purchase", 409, john, json={**wanted, "quantity": 11}))["code"] == "OUT_OF_STOCK"
    await app_of_john.refused("shop.purchase", 401, json=wanted)


async def test_a_request_to_the_concierge_is_found_again(app_of_john: App) -> None:
    wanted = CONTRACT.sent("concierge.request", needed_by=SOON)
    made = await app_of_john.good("concierge.request", app_of_john.john, json=wanted, status=201)
    assert (made["status"], made["message"]) == ("received", "We'll source this item for you")
    mine = await app_of_john.good("concierge.my-requests", app_of_john.john)
    assert [each["request_id"] for each in mine] == [made["request_id"]]
    assert await app_of_john.good("concierge.my-requests", app_of_john.ann) == []
    error = await app_of_john.refused("concierge.request", 422, app_of_john.ann, json={"budget": "much", "needed_by": "soon"})
    assert sorted(error["details"]) == ["budget", "item_description", "needed_by"]


async def test_the_portal_shows_documents_that_can_be_read(app_of_john: App) -> None:
    [offered] = await app_of_john.good("investment.opportunities", app_of_john.john)
    [document] = offered["documents"]
    assert (await app_of_john.http.get(document["url"])).content.startswith(b"%PDF-")
    answer = await app_of_john.ask("investment.document", app_of_john.john, path={"id": document["id"]})
    assert answer.status_code == 302
    assert (await app_of_john.http.get(answer.headers["location"])).headers["content-type"] == "application/pdf"
    for unknown in ("999", "prospectus"):
        await app_of_john.refused("investment.document", 404, app_of_john.john, path={"id": unknown})


async def test_an_interest_is_expressed(app_of_john: App) -> None:
    wanted = CONTRACT.sent("investment.express-interest")
    assert (await app_of_john.good("investment.express-interest", app_of_john.john, json=wanted, status=201))["success"] is True
    error = await app_of_john.refused("investment.express-interest", 422, app_of_john.john, json={**wanted, "investment_amount": "1.00"})
    assert list(error["details"]) == ["investment_amount"]


@pytest.mark.parametrize("id", ["investment.opportunities", "investment.document", "investment.express-interest"])
async def test_the_portal_is_closed_without_access(app_of_john: App, id: str) -> None:
    assert (await app_of_john.refused(id, 403, app_of_john.ann, path={"id": 1}))["code"] == "FORBIDDEN"
    assert (await app_of_john.refused(id, 401, path={"id": 1}))["code"] == "UNAUTHENTICATED"
