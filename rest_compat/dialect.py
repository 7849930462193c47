"""What differs between the older systems, in five answers: who is calling, how values are spelled, success, pages, errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

from starlette.requests import HTTPConnection

from engine.headers import headers_of
from engine.runtime import runtime_of
from errors import ApiError, BadUserInput, Unauthenticated
from models.identity import Role
from resolvers.context import NOBODY, Context, Viewer
from resolvers.limits import network
from rest_compat.routes import Route


@dataclass(frozen=True)
class Spelling:
    """How a system writes the values that JSON has no type for."""

    money: Callable[[Decimal], Any]
    moment: Callable[[datetime], str]
    day: Callable[[date], str] = date.isoformat
    time: Callable[[time], str] = lambda value: f"{value:%H:%M}"
    enum: Callable[[str], str] | None = None

    def spell(self, value: Any) -> Any:
        """The spelling of one value; the writer of JSON asks for whatever it does not know itself."""
        if isinstance(value, Decimal):
            return self.money(value)
        if isinstance(value, datetime):
            return self.moment(value)
        if isinstance(value, date):
            return self.day(value)
        if isinstance(value, time):
            return self.time(value)
        raise TypeError(f"{type(value).__name__} has no spelling")


@dataclass(frozen=True)
class Refusal:
    """An error with its fields under their old names, and the request that it ended."""

    error: ApiError
    status: int
    fields: dict[str, str]
    at: datetime
    request_id: str


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit of calls, and whom it counts if not the caller."""

    name: str
    text: str
    by: str | None = None


class Dialect:
    """One older system's way to talk; a system's folder has one subclass."""

    name: ClassVar[str]
    title: ClassVar[str]
    spelling: ClassVar[Spelling]
    sign_in: ClassVar[Mapping[str, str]] = MappingProxyType({"type": "http", "scheme": "bearer"})
    """How callers show who they are: a security scheme as OpenAPI has it."""
    bad_field_status: ClassVar[int] = 422
    page_maximum: ClassVar[int] = 200
    page_parameter: ClassVar[str] = "page"
    limit: ClassVar[str | None] = None
    """Calls that one caller may make of the whole system, such as "1000/minute"; a route may have a limit of its own besides."""
    counts_addresses: ClassVar[bool] = False
    """Whether that limit counts everybody by address, as Minuteserv documents it for customers."""
    role_limits: ClassVar[Mapping[Role, str]] = MappingProxyType({})
    """Calls that holders of a role may make instead, counted by account; the first role decides that the caller holds."""
    country: ClassVar[str] = "1"
    """The calling code that stands for a missing one."""

    async def viewer(self, connection: HTTPConnection, ctx: Context) -> Viewer:
        """Who is calling; Unauthenticated when what the caller shows is not good any more."""
        raise NotImplementedError

    def rate(self, ctx: Context) -> Rate | None:
        """The limit that counts this call."""
        role = next((each for each in self.role_limits if each in ctx.viewer.roles), None)
        if role is not None:
            return Rate(f"{self.name} {role}", self.role_limits[role])
        return Rate(self.name, self.limit, network(ctx.address) if self.counts_addresses else None) if self.limit else None

    def success(self, body: Any, route: Route) -> Any:
        """The body of a success."""
        raise NotImplementedError

    def error(self, refusal: Refusal) -> Any:
        """The body of a refusal."""
        raise NotImplementedError

    def status(self, error: ApiError) -> int:
        """The status of a refusal."""
        return self.bad_field_status if isinstance(error, BadUserInput) else error.status

    def carried(self, connection: HTTPConnection) -> Mapping[str, str]:
        """What a client of this system says in headers where others say it in the body, under the names of the variables."""
        return {}

    def loosen(self, value: Any, kind: str) -> Any:
        """What a client of this system may leave out of a value of some type: the country of a phone number."""
        if kind == "PhoneNumber" and isinstance(value, str) and value.strip() and not value.strip().startswith("+"):
            return f"+{self.country}{value.strip()}"
        return value


async def bearer(connection: HTTPConnection, ctx: Context) -> Viewer:
    """Whoever the access token in the Authorization header names; nobody without one."""
    scheme, _, token = headers_of(connection.scope).get("authorization", "").partition(" ")
    if not scheme:
        return NOBODY
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    return await runtime_of(connection.scope).authority.viewer(token.strip())


def utc_naive(value: datetime) -> str:
    """2026-01-15T14:00:00: a moment in UTC as Events and CRM write it, without saying so."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def utc_z(value: datetime) -> str:
    """2026-01-15T14:00:00Z: a moment as CoreSync, Banister, Appointment360 and Minuteserv write it."""
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")
