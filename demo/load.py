"""The demo world: chapters that are each loaded once, in one transaction with the note that says so.

A new domain adds a file with a `fill(db, world)` and its line in CHAPTERS; servers that are older get only that chapter.
What can be done through operations is in PLAYED: those have transactions of their own, and idempotency keys instead.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from demo import (
    analytics,
    bookings,
    catalogue,
    concierge,
    crm,
    events,
    faces,
    guests,
    investments,
    membership_money,
    memberships,
    messages,
    payments,
    people,
    plans,
    preferences,
    recommendations,
    rooms,
    shop,
)
from demo.world import World
from gateways.all import open_gateways
from models.database import Database
from models.demo import DemoNote
from resolvers.context import Context
from settings import Settings

Fill = Callable[[AsyncSession, World], Awaitable[None]]
Play = Callable[[Context, World], Awaitable[None]]

CHAPTERS: dict[str, Fill] = {
    "catalogue": catalogue.fill,
    "rooms": rooms.fill,
    "people": people.fill,
    "memberships": memberships.fill,
    "scenes": rooms.fill_scenes,
    "payments": payments.fill,
    "kiosks": faces.fill_kiosks,
    "preferences": preferences.fill,
    **{f"bookings {part + 1}": bookings.fill_part(part) for part in range(bookings.PARTS)},
    "ratings": analytics.fill,
    "messages": messages.fill,
    "membership money": membership_money.fill,
    "shop": shop.fill,
    "concierge": concierge.fill,
    "events": events.fill,
    "crm": crm.fill,
}
PLAYED: dict[str, Play] = {
    "population": recommendations.play,
    "plans": plans.play,
    "recurring events": events.play,
    "faces": faces.play,
    "guests": guests.play,
    "purchases": shop.play,
    "investments": investments.play,
}
BEGUN = "begun"
PREFIX = "chapter: "
TURN = 6_151_413_302
PATIENCE = {"transaction_timeout": 60.0, "command_timeout": 30.0}
"""Unlike a server's operations, a chapter may take its time on a slow machine."""


async def load(settings: Settings, database_url: str) -> int:
    """Load what is missing into a database, and return how many chapters that were."""
    patient = settings.model_copy(update=PATIENCE)
    async with Database(database_url, patient) as database:
        if not await _missing(database):  # most starts, which then open no line to the outside world
            return 0
        async with open_gateways(settings, database) as gateways:
            return await load_demo(Context(settings, database, gateways, request_id="demo", address="demo", door="demo"))


async def load_demo(ctx: Context, say: Callable[[str], None] = lambda _: None) -> int:
    """Load the chapters that are missing, and return how many there were. Processes that start together take turns."""
    if not await _missing(ctx.database):
        return 0
    async with _our_turn(ctx.database.url):
        missing = await _missing(ctx.database)
        hashes = await people.hash_passwords() if "people" in missing else {}
        world = World(await _begin(ctx), ctx.now(), hashes)
        for name in missing:
            say(name)
            await _load(ctx, name, world)
    return len(missing)


async def _missing(database: Database) -> list[str]:
    """The chapters that the database does not hold yet, in their order."""
    notes = {row["name"] for row in await database.fetch(select(DemoNote.name))}
    return [name for name in (*CHAPTERS, *PLAYED) if PREFIX + name not in notes]


@asynccontextmanager
async def _our_turn(database_url: str) -> AsyncIterator[None]:
    """Wait until no other process loads; a connection of its own holds the lock, over all transactions."""
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", TURN)
        yield
    finally:
        await connection.close()


async def _begin(ctx: Context) -> date:
    """The day on which the world was begun: chapters agree on it, even when a later start goes on with them."""
    async with ctx.writing() as db:
        note = await db.scalar(select(DemoNote).where(DemoNote.name == BEGUN))
        if note is None:
            db.add(note := DemoNote(name=BEGUN, value={"on": ctx.now().date().isoformat()}))
    return date.fromisoformat(note.value["on"])


async def _load(ctx: Context, name: str, world: World) -> None:
    if name in PLAYED:
        await PLAYED[name](ctx, world)
    async with ctx.writing() as db:
        if name in CHAPTERS:
            await CHAPTERS[name](db, world)
        db.add(DemoNote(name=PREFIX + name, value={}))
