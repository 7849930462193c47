"""What clients see of the server itself."""

import strawberry

from resolvers.health import get_health
from schema.fields import operation


@strawberry.type(description="How the server is doing.")
class Health:
    """What works."""

    status: str = strawberry.field(description="healthy.")
    database: str = strawberry.field(description="connected: it was asked just now.")


@strawberry.type
class HealthQueries:
    """Asking how the server is doing."""

    health: Health = operation(get_health)
