"""What an operation asks of the database: told to developers, with `"extensions": {"explain": true}` in a request."""

import time
from typing import Any

from errors import Forbidden
from models.database import Database
from resolvers.context import Context

NAME = "explain"


class Noting(Database):
    """An open database that notes the statements of one request; never their values, which may be secrets."""

    def __init__(self, database: Database) -> None:
        self.__dict__.update(vars(database))
        self.statements: list[dict[str, Any]] = []

    async def run(self, text: str, arguments: list[Any]) -> list[Any]:
        """The records of a statement, which is noted."""
        begun = time.perf_counter()
        records = await super().run(text, arguments)
        self.statements.append({"sql": text, "milliseconds": round((time.perf_counter() - begun) * 1000, 3), "rows": len(records)})
        return records


def explained(ctx: Context) -> tuple[Context, list[dict[str, Any]]]:
    """The same request with a list of the statements that it will have read with; Forbidden but for staff of a demo server."""
    if not (ctx.settings.is_demo and ctx.viewer.is_staff):
        raise Forbidden
    database = Noting(ctx.database)
    return ctx.but(database=database), database.statements
