"""What the three businesses offer: the spa's menu, the marketplace, and treatments that come home."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from demo.home_services import HOME
from demo.marketplace import MARKETPLACE
from demo.spa_menu import ADDONS, AI_MASSAGE, COUPLES, MENS, PROGRAMMES, TYPES, Treatment
from demo.world import World, put
from models.catalogue import Addon, Category, Programme, Service, ServiceLine, SpaService

MENSUITE, CORESYNC_PRIVATE = 1, 2
CATEGORIES: list[dict[str, Any]] = [
    {
        "id": MENSUITE, "line": ServiceLine.SPA, "name": "Mensuite", "slug": "mensuite", "image": "/media/categories/mensuite.jpg",
        "description": "Men's Spa services: massage, grooming and recovery in rooms that remember how you like them.",
        "featured_technologies": ["smart_mirror", "ai_analyzer"],
    },
    {
        "id": CORESYNC_PRIVATE, "line": ServiceLine.SPA, "name": "Coresync Private", "slug": "coresync-private",
        "image": "/media/categories/coresync-private.jpg",
        "description": "Couple's Spa services: private suites for two, with light, scent and sound that follow the treatment.",
        "featured_technologies": ["immersive_screens", "ai_massage"],
    },
]  # fmt: skip


@dataclass(frozen=True)
class Offered:
    """A treatment of the spa with the number that it gets."""

    number: int
    category: int
    treatment: Treatment


SPA = [
    Offered(number, category, treatment)
    for number, (category, treatment) in enumerate(
        [*((MENSUITE, each) for each in MENS), *((CORESYNC_PRIVATE, each) for each in COUPLES)], start=1
    )
]


def slug_of(name: str) -> str:
    """The name in addresses."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("'", "")).strip("-")


async def fill(db: AsyncSession, world: World) -> None:
    """Categories and services of every line, add-ons and programmes."""
    others = [
        {"line": line, "name": name, "slug": slug_of(name), "description": description, "image": f"/media/categories/{slug_of(name)}.jpg"}
        for line, groups in ((ServiceLine.MARKETPLACE, MARKETPLACE), (ServiceLine.HOME, HOME))
        for name, description, _ in groups
    ]
    categories = [*CATEGORIES, *({"id": number, "featured_technologies": [], **each} for number, each in enumerate(others, start=3))]
    await put(db, Category, [{"position": number, **each} for number, each in enumerate(categories)])
    await put(db, Service, [_spa_service(each) for each in SPA])
    await put(db, SpaService, [_spa_part(each) for each in SPA])
    await put(db, Addon, [
        {"id": number, "service_id": service, "name": name, "price": Decimal(price)}
        for number, (service, name, price) in enumerate(ADDONS, start=1)
    ])  # fmt: skip
    await put(db, Programme, [
        {"service_id": service, "name": name, "slug": slug_of(name), "description": text} for service, name, text in PROGRAMMES
    ])  # fmt: skip
    category = len(CATEGORIES)
    for line, currency, groups in ((ServiceLine.MARKETPLACE, "USD", MARKETPLACE), (ServiceLine.HOME, "INR", HOME)):
        for _, _, services in groups:
            category += 1
            await put(db, Service, [
                {
                    "line": line, "category_id": category, "name": name, "slug": slug_of(name), "duration_minutes": minutes,
                    "price": Decimal(price), "currency": currency, "short_description": text, "description": text,
                }
                for name, minutes, price, text in services
            ])  # fmt: skip


def _spa_service(offered: Offered) -> dict[str, Any]:
    treatment = offered.treatment
    return {
        "id": offered.number, "line": ServiceLine.SPA, "category_id": offered.category, "name": treatment.name,
        "slug": slug_of(treatment.name), "short_description": treatment.short, "description": treatment.text,
        "price": Decimal(treatment.price), "duration_minutes": treatment.minutes, "is_featured": treatment.is_featured,
    }  # fmt: skip


def _spa_part(offered: Offered) -> dict[str, Any]:
    treatment, slug = offered.treatment, slug_of(offered.treatment.name)
    main = "/media/services/ai-massage.jpg" if treatment.name == AI_MASSAGE else f"/media/services/{slug}.jpg"
    return {
        "service_id": offered.number, "service_type": next(kind for kind, numbers in TYPES.items() if offered.number in numbers),
        "member_price": Decimal(treatment.member_price), "member_only": treatment.member_only,
        "max_capacity": 2 if offered.category == CORESYNC_PRIVATE else 1, "main_image": main,
        "gallery_images": [f"/media/services/{slug}-{number}.jpg" for number in (1, 2)],
        "video_url": f"https://media.coresync.life/films/{slug}.mp4",
    }  # fmt: skip
