"""What can be found in the catalogue, and by what."""

from typing import Any

import pytest

from engine.execute import Engine
from models.database import Database
from resolvers.context import Context
from settings import Settings
from tests.people import nobody
from tests.sql import sql
from tests.visiting import make_service
from tests.worlds import make_spa

FIND = "query ($filter: ServiceFilter) { services(filter: $filter, order: NAME) { nodes { slug } } }"
WHOLE = """{
  categories(line: SPA) { slug }
  category(slug: "mensuite", line: SPA) { name image featuredTechnologies }
  service(slug: "ai-massage-therapy") {
    name rating ratingCount category { slug } addons { name price isActive }
    ... on SpaService { serviceType memberPrice mainImage galleryImages videoUrl programmes { name description } }
  }
}"""


@pytest.fixture
async def ctx(database: Database, settings: Settings) -> Context:
    spa = await make_spa(database)
    await make_service(database, spa, "Calm Facial", "facial", description="With a balm of cedar.", duration_minutes=30)
    shave = await make_service(database, spa, "Hot Shave", "shave", short_description="Razor and 100% badger")
    await sql(database, "UPDATE spa_services SET member_only = true WHERE service_id = $1", shave.id)
    await sql(database, "INSERT INTO service_ratings (service_id, ratings, stars) VALUES ($1, 2, 9)", spa.service.id)
    return nobody(database, settings)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"search": "massage"}, ["ai-massage-therapy"]),
        ({"search": "CEDAR facial"}, ["calm-facial"]),
        ({"search": "cedar razor"}, []),
        ({"search": "led light"}, ["ai-massage-therapy"]),  # an add-on
        ({"search": "100%"}, ["hot-shave"]),
        ({"search": "_"}, []),
        ({"serviceType": "facial"}, ["calm-facial"]),
        ({"memberOnly": True}, ["hot-shave"]),
        ({"memberOnly": False, "serviceType": "shave"}, []),
        ({"priceFrom": "150.00"}, ["ai-massage-therapy"]),
        ({"priceTo": "100.00"}, ["calm-facial", "hot-shave"]),
        ({"longestMinutes": 45}, ["calm-facial"]),
        ({"ratedFrom": 4.5}, ["ai-massage-therapy"]),
        ({"ratedFrom": 4.6}, []),
        ({"line": "HOME", "serviceType": "facial"}, []),
    ],
)
async def test_services_are_found_by(ctx: Context, settings: Settings, wanted: dict[str, Any], found: list[str]) -> None:
    answer = await Engine(settings).run(FIND, ctx, variables={"filter": wanted})
    assert answer.errors == []
    assert answer.data is not None
    assert [each["slug"] for each in answer.data["services"]["nodes"]] == found


async def test_whatever_is_documented_of_a_service_is_there(ctx: Context, settings: Settings) -> None:
    answer = await Engine(settings).run(WHOLE, ctx)
    assert answer.errors == []
    assert answer.data is not None
    service = answer.data["service"]
    assert (service["rating"], service["ratingCount"]) == (4.5, 2)
    assert [each["name"] for each in service["addons"]] == ["LED Light Therapy", "Hot Stones"]
    assert [each["name"] for each in service["programmes"]] == ["Deep Relaxation"]
    assert (service["serviceType"], service["galleryImages"], service["videoUrl"]) == ("treatment", [], None)
    assert answer.data["category"]["name"] == "Mensuite"


async def test_a_service_that_nobody_rated_has_no_rating(ctx: Context, settings: Settings) -> None:
    answer = await Engine(settings).run('{ service(slug: "calm-facial") { rating ratingCount } }', ctx)
    assert (answer.errors, answer.data) == ([], {"service": {"rating": None, "ratingCount": 0}})
