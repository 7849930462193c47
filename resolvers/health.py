"""How the server is doing, as clients may ask."""

from dataclasses import dataclass

from errors import ApiError, Unavailable
from resolvers.context import Context
from resolvers.operations import ANYONE, allow

ASK = "SELECT 1"


@dataclass(frozen=True)
class Health:
    """What works."""

    status: str
    database: str


@allow(ANYONE)
async def get_health(ctx: Context) -> Health:
    """Whether the server works; refused with UNAVAILABLE while its database is away."""
    try:
        await ctx.database.run(ASK, [])
    except ApiError:
        raise Unavailable("The database does not answer.", details={"status": "unhealthy", "database": "disconnected"}) from None
    return Health("healthy", "connected")
