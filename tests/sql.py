"""SQL in tests, past all operations."""

from typing import Any

from models.database import Database


async def sql(database: Database, text: str, *arguments: Any) -> list[Any]:
    """The rows of a statement."""
    return list(await database.run(text, list(arguments)))


async def value(database: Database, text: str, *arguments: Any) -> Any:
    """The only value of a statement."""
    return (await sql(database, text, *arguments))[0][0]
