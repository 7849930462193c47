"""What all guests of the demo do together, so that its first visitor is advised already."""

from demo.world import World
from resolvers.context import Context
from resolvers.population import refresh_population


async def play(ctx: Context, world: World) -> None:
    """What the calendar will do every hour."""
    await refresh_population(ctx)
