"""The demo world: chapters that are each loaded once, in one transaction with the note that says so.

A new domain adds a file with a `fill(db, world)` and its line in CHAPTERS; servers that are older get only that chapter.
What can be done through operations is in PLAYED: those have transactions of their own, and idempotency keys instead.
"""

from collections.abc import Awaitable, Callable
from datetime import date

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from demo import bookings, catalogue, memberships, payments, people, plans, rooms
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
    **{f"bookings {part + 1}": bookings.fill_part(part) for part in range(bookings.PARTS)},
}
PLAYED: dict[str, Play] = {"plans": plans.play}
BEGUN = "begun"
PREFIX = "chapter: "
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('demo world', 0))")


async def load(settings: Settings, database_url: str) -> int:
    """Load what is missing into a database, and return how many chapters that were."""
    async with Database(database_url, settings) as database, open_gateways(settings, database) as gateways:
        return await load_demo(Context(settings, database, gateways, request_id="demo"))


async def load_demo(ctx: Context, say: Callable[[str], None] = lambda _: None) -> int:
    """Load the chapters that are missing, and return how many there were."""
    rows = await ctx.fetch(select(DemoNote.name, DemoNote.value))
    notes = {row["name"]: row["value"] for row in rows}
    missing = [name for name in (*CHAPTERS, *PLAYED) if PREFIX + name not in notes]
    if not missing:
        return 0
    hashes = await people.hash_passwords() if "people" in missing else {}
    world = World(await _begin(ctx), ctx.now(), hashes)
    for name in missing:
        say(name)
        await _load(ctx, name, world)
    return len(missing)


async def _begin(ctx: Context) -> date:
    """The day on which the world was begun: chapters agree on it, even when a later start goes on with them."""
    async with ctx.writing() as db:
        await db.execute(LOCK)
        note = await db.scalar(select(DemoNote).where(DemoNote.name == BEGUN))
        if note is None:
            db.add(note := DemoNote(name=BEGUN, value={"on": ctx.now().date().isoformat()}))
    return date.fromisoformat(note.value["on"])


async def _load(ctx: Context, name: str, world: World) -> None:
    if name in PLAYED:
        await PLAYED[name](ctx, world)
    async with ctx.writing() as db:
        await db.execute(LOCK)
        if await db.scalar(select(DemoNote.id).where(DemoNote.name == PREFIX + name)) is None:
            if name in CHAPTERS:
                await CHAPTERS[name](db, world)
            db.add(DemoNote(name=PREFIX + name, value={}))
