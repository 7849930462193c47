"""People for tests, made through the product's own operations."""

from itertools import count
from typing import Any

from models.database import Database
from models.identity import Role, UserRole
from resolvers import identity
from resolvers.authentication import authenticate
from resolvers.context import Context
from resolvers.inputs.identity import RegistrationInput
from resolvers.inputs.values import parse_email
from resolvers.operations import Operation, perform
from resolvers.sessions import SignedIn
from settings import Settings

PASSWORD = "correct horse battery"
_numbers = count(1)


def nobody(database: Database, settings: Settings, **about: Any) -> Context:
    """The context of a request by a stranger."""
    return Context(settings=settings, database=database, gateways=None, **about)  # type: ignore[arg-type]


async def call(operation: Operation, ctx: Context, *, key: str | None = None, **arguments: Any) -> Any:
    """Run an operation as a door would: permission first."""
    operation.admit(ctx.viewer)
    return await perform(operation, ctx, arguments, key=key)


async def join(ctx: Context, *roles: Role, **about: Any) -> SignedIn:
    """A new person, signed in, with further roles."""
    about = {"email": f"person{next(_numbers)}@example.com", "password": PASSWORD, **about}
    about["email"] = parse_email(about["email"])
    joined: SignedIn = await call(identity.register, ctx, input=RegistrationInput(**about))
    async with ctx.database.sessions.begin() as db:
        db.add_all(UserRole(user_id=joined.user.id, role=role) for role in roles)
    return joined


async def as_viewer(ctx: Context, signed_in: SignedIn) -> Context:
    """The context of a request that carries the person's access token."""
    return ctx.with_viewer(await authenticate(ctx.database, ctx.settings, signed_in.access_token))
